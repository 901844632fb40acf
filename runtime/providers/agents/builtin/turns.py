"""Turns: a response is asked for, and its events are told; those that are kept are read again from their responses."""

from __future__ import annotations

from runtime.apis.responses.protocol import GetResponseRequest, Responses
from runtime.errors import Conflict, NotFound
from runtime.providers._earlier.renaming import renamed
from runtime.providers.agents.builtin import shown
from runtime.providers.agents.builtin.documents import Documents
from runtime.providers.agents.builtin.events import TurnEvents
from runtime.providers.agents.builtin.forgetting import Forgetting
from runtime.providers.agents.builtin.running import NewTurn, Running
from runtime.providers.agents.builtin.sessions import Sessions
from runtime.providers.agents.builtin.steps import Steps
from runtime.sse import EventStream, Json, Reply
from runtime.storage.sql import Row
from runtime.to_the_end import to_the_end

CONTINUES = "session_id"
"""What names, at this door, the response that a turn continues."""


class Turns:
    def __init__(self, sessions: Sessions, responses: Responses, documents: Documents, forgetting: Forgetting) -> None:
        self._sessions = sessions
        self._responses = responses
        self._documents = documents
        self._forgetting = forgetting

    async def run(self, turn: NewTurn) -> Reply | EventStream:
        """Raises Conflict where the session runs another or cannot go on, what asking for a response raises with the
        names of `turn`, and what `failure_of` makes of one that failed.
        """
        running = Running(self._sessions, self._forgetting, turn, Steps(turn.row["id"], turn.before))
        try:
            await to_the_end(running.take())
            if turn.documents:
                await self._documents.keep(turn.documents, turn.row["session_id"])
            answer = await self._ask(turn)
        except BaseException:
            await to_the_end(running.failed())
            raise
        if isinstance(answer, EventStream):
            return answer.through(TurnEvents(running, is_new=turn.is_new))
        return await to_the_end(running.whole(answer.value()))

    async def _ask(self, turn: NewTurn) -> Reply | EventStream:
        try:
            return await renamed(self._responses.create_response(turn.request), turn.names)
        except NotFound as error:
            if error.param != CONTINUES:
                raise
            raise Conflict(
                f"The session `{turn.row['session_id']}` cannot go on: a response was deleted, or is not kept any more",
                hint="begin another session",
                param=CONTINUES,
                code="session_cannot_go_on",
            ) from error

    async def shown(self, row: Row) -> Json:
        """A turn that is kept."""
        return shown.turn(row, await self.steps(row))

    async def steps(self, row: Row) -> list[Json]:
        """The steps of a turn that is kept. What came of a response that was deleted is not among them, nor one
        that died before anything of it was kept.
        """
        found: list[Json] = []
        waiting: list[Json] = []
        for number, response_id in enumerate(row["responses"]):
            response = await self._kept(response_id)
            if response is None or _died(response):
                continue
            steps = Steps(row["id"], found)
            if number and number <= len(row["results"]):
                steps.answered(waiting, row["results"][number - 1], response)
            is_last = number + 1 == len(row["responses"])
            awaits = not (is_last and row["is_over"])
            steps.read(response, awaits=awaits, at=row["completed"] if is_last else None)
            found, waiting = steps.all, steps.waiting
        return found

    async def _kept(self, response_id: str) -> Json | None:
        try:
            answer = await self._responses.get_response(GetResponseRequest(response_id=response_id))
        except NotFound:
            return None
        assert isinstance(answer, Reply), "no events were asked for"
        return answer.value()


def _died(response: Json) -> bool:
    """Whether its process ended before anything of it was kept, or may still come to that."""
    reason = (response["incomplete_details"] or {}).get("reason")
    return not response["output"] and (response["status"] == "in_progress" or reason == "interrupted")
