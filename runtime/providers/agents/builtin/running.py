"""A turn while it runs: its session is taken, and let go with what came of it, or as if it had not been."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runtime.apis.agents.turn import AgentDocument
from runtime.apis.responses.protocol import CreateResponseRequest
from runtime.clock import stamp
from runtime.context import current, serving
from runtime.errors import StackError
from runtime.providers.agents.builtin import shown
from runtime.providers.agents.builtin.failing import failure_of
from runtime.providers.agents.builtin.forgetting import Forgetting
from runtime.providers.agents.builtin.sessions import Found, Sessions
from runtime.providers.agents.builtin.steps import Steps
from runtime.providers.agents.builtin.tables import TURNS
from runtime.sse import Json, Reply
from runtime.storage.sql import Delete, Insert, Row, Statement, Update, eq

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class NewTurn:
    """A turn that is begun or goes on. row: as it is before; is_new: whether it has not been written yet. before: its
    steps so far. names: of fields, for errors. most: how often the model may be asked in the whole turn. results: what
    the client has answered, where it goes on. documents: what is kept of it before the model is asked.
    """

    found: Found
    row: Row
    is_new: bool
    before: Sequence[Json] = ()
    request: CreateResponseRequest
    names: Mapping[str, str]
    most: int
    results: list[Json] | None = None
    documents: Sequence[AgentDocument] = ()

    @property
    def first(self) -> list[Statement]:
        """What is written when it is begun: of one that goes on nothing, since it waits as it is."""
        return [Insert(TURNS, self.row)] if self.is_new else []


class Running:
    """One turn while it runs. steps: of it so far."""

    def __init__(self, sessions: Sessions, forgetting: Forgetting, turn: NewTurn, steps: Steps) -> None:
        self._sessions = sessions
        self._forgetting = forgetting
        self._turn = turn
        self._context = current()
        self._has_session = False
        self._response_id: str | None = None
        self._is_told = False
        self.steps = steps

    async def take(self) -> None:
        """Raises what `Sessions.take` raises."""
        change = {"has_documents": True} if self._turn.documents else {}
        await self._sessions.take(self._turn.found, self.turn_id, change, *self._turn.first)
        self._has_session = True
        with serving(self._context):
            try:
                await self._forgetting.left(self._turn.found.session)
            except StackError as error:  # the new turn can do without
                extra = {"turn_id": self.turn_id, "error": error.message}
                log.warning("what a turn had begun that died is not found", extra=extra)

    @property
    def turn_id(self) -> str:
        turn_id: str = self._turn.row["id"]
        return turn_id

    def began(self, response: Json) -> None:
        """The response is begun."""
        self._response_id, self._is_told = response["id"], True
        if self._turn.results is not None:
            self.steps.answered(self._turn.found.waiting, self._turn.results, response)
        self.steps.begin(response)

    async def whole(self, response: Json) -> Reply:
        """The turn, of a response that has ended. Raises what `failure_of` makes of one that failed."""
        if (failure := failure_of(response)) is not None:
            self._response_id = response["id"]
            await self.failed()
            raise failure
        self.began(response)
        self.steps.hear(response)
        turn, _ = await self.ended(response)
        return Reply.of(turn)

    async def ended(self, response: Json) -> tuple[Json, bool]:
        """Keep what came of it. Returns the turn, and whether it waits for the client."""
        waiting = self.steps.waiting
        awaits = (
            bool(waiting)
            and response["status"] == "completed"
            and "violation" not in response
            and times_asked(self.steps.all) < self._turn.most
        )
        now = max(stamp(), self._turn.row["position"] / 1_000_000)  # clocks may be set back
        self.steps.end(response, awaits=awaits, at=None if awaits else now)
        row, results = self._turn.row, self._turn.results
        changed: Json = {
            "is_over": not awaits,
            "completed": None if awaits else now,
            "responses": [*row["responses"], response["id"]],
            "results": row["results"] if results is None else [*row["results"], results],
        }
        change = {"last": response["id"], "waiting": waiting or None, "used": int(now)}
        kept = Update(TURNS, changed, eq("id", row["id"]))
        if not await self._sessions.let_go(row["session_id"], row["id"], change, kept):
            await self._forget(documents=True)
        return shown.turn({**row, **changed}, self.steps.all), awaits

    async def failed(self) -> None:
        """Nothing came of it: the session goes on as it was before, and a turn that waited waits again. Of a new one
        that was told of, what there is stays; any other's response is deleted, since no turn shows it.
        """
        if not self._has_session:
            return
        row, session = self._turn.row, self._turn.found.session
        where = eq("id", row["id"])
        stays = self._turn.is_new and self._is_told
        if not stays:  # first, while the turn has the session: by that it is found if this process ends here
            await self._forget(documents=False)
        if not self._turn.is_new:
            change: Statement = Update(TURNS, {"is_over": False}, where)
        elif stays:
            changed = {"is_over": True, "completed": stamp(), "responses": [self._response_id]}
            change = Update(TURNS, changed, where)
        else:
            change = Delete(TURNS, where)
        kept = {} if self._is_told else {"has_documents": session["has_documents"]}
        if not await self._sessions.let_go(row["session_id"], row["id"], kept, change):
            await self._forget(documents=True)

    async def _forget(self, *, documents: bool) -> None:
        """Delete the response. documents: whether those go too, since the session was deleted."""
        with serving(self._context):
            try:
                if documents and self._turn.documents:
                    await self._forgetting.documents(self._turn.row["session_id"])
                if self._response_id is not None:
                    await self._forgetting.responses([self._response_id])
            except StackError as error:  # why the turn failed is what its caller is to know
                extra = {"turn_id": self.turn_id, "error": error.message}
                log.warning("what no turn shows any more is not deleted", extra=extra)


def times_asked(steps: Sequence[Json]) -> int:
    """How often the model was asked."""
    return sum(step["step_type"] == "inference" for step in steps)
