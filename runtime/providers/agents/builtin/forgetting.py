"""What was said in a session is deleted: its responses and its documents."""

from __future__ import annotations

from collections.abc import Iterable

from runtime.apis.responses.protocol import ResponseRequest, Responses
from runtime.clock import wall_time
from runtime.errors import NotFound
from runtime.providers.agents.builtin.documents import Documents
from runtime.providers.agents.builtin.hidden import Hidden
from runtime.providers.agents.builtin.orphaned import orphaned
from runtime.providers.agents.builtin.sessions import Sessions
from runtime.storage.sql import Row


class Forgetting:
    """Every method raises Unavailable."""

    def __init__(self, sessions: Sessions, hidden: Hidden, responses: Responses, documents: Documents) -> None:
        self._sessions = sessions
        self._hidden = hidden
        self._responses = responses
        self._documents = documents

    async def session(self, session_id: str) -> None:
        """Delete a session with all that was said in it. Nobody sees it once this has begun: what is left where the
        caller leaves meanwhile, or a turn still runs there, is deleted later (`removing.py`).
        """
        await self._sessions.hide(session_id)
        if (session := await self._hidden.session(session_id)) is not None:
            await self.rest(session)

    async def agent(self, agent_id: str) -> None:
        """Delete an agent with the sessions of it that the caller sees, and those of others without what they said."""
        await self._sessions.hide_agent(agent_id)
        async for session in self._hidden.of_agent(agent_id):
            await self.rest(session)
        await self._hidden.delete_agent(agent_id)

    async def rest(self, session: Row) -> None:
        """Delete a session that nobody sees any more. One in which a turn runs stays for its sake: a turn that ends
        deletes what came of it itself, and of one whose process ends that is found once it has no lease any more.
        """
        session_id, now = session["id"], wall_time()
        await self.documents(session_id)
        while turns := await self._hidden.some_turns(session_id):
            await self.responses(response_id for turn in turns for response_id in turn["responses"])
            await self._hidden.delete_turns(turns)
        if (left := await orphaned(self._responses, session, ())) is not None:
            await self.responses([left])
        await self._hidden.delete_session(session_id, now)

    async def documents(self, session_id: str) -> None:
        await self._documents.forget(session_id)

    async def left(self, session: Row) -> None:
        """What the turn had begun that died in a session, as it was before another was begun there: the turn has it
        from now on. One that had gone on waits again as it did, and what it had gone on with is deleted.
        """
        known = await self._sessions.came_of(session["turn"])
        response_id = await orphaned(self._responses, session, known or ())
        if response_id is None:
            return
        if known == []:
            await self._sessions.adopt(session["turn"], response_id)
        else:
            await self.responses([response_id])

    async def responses(self, response_ids: Iterable[str]) -> None:
        """Those that are still there."""
        for response_id in response_ids:
            try:
                await self._responses.delete_response(ResponseRequest(response_id=response_id))
            except NotFound:
                continue
