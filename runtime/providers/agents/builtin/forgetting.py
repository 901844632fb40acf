"""What was said in a session is deleted: its responses and its documents."""

from __future__ import annotations

from collections.abc import Iterable

from runtime.apis.responses.protocol import ResponseRequest, Responses
from runtime.errors import NotFound
from runtime.providers.agents.builtin.documents import Documents
from runtime.providers.agents.builtin.orphaned import orphaned
from runtime.providers.agents.builtin.sessions import Sessions
from runtime.storage.sql import Row


class Forgetting:
    """Every method raises Unavailable."""

    def __init__(self, sessions: Sessions, responses: Responses, documents: Documents) -> None:
        self._sessions = sessions
        self._responses = responses
        self._documents = documents

    async def session(self, session: Row) -> None:
        """Delete a session with all that was said in it. Where a turn begins or ends meanwhile, what it has kept goes
        too; one that still runs then finds no session at its end, and deletes what came of it itself.
        """
        found: Row | None = session
        while found is not None:
            await self.documents(found["id"])
            left = await orphaned(self._responses, found)
            await self.responses([*await self._sessions.responses(found), *([left] if left else [])])
            found = await self._sessions.deleted(found)

    async def agent(self, agent_id: str) -> None:
        """Delete an agent with the sessions of it that the caller sees, and those of others without what they said."""
        while sessions := await self._sessions.of(agent_id):
            for session in sessions:
                await self.session(session)
        await self._sessions.delete_agent(agent_id)

    async def documents(self, session_id: str) -> None:
        await self._documents.forget(session_id)

    async def left(self, session: Row) -> None:
        """What the turn had begun that died in a session, as it was before another was begun there: the turn has it
        from now on. One that had gone on waits again as it did, and what it had gone on with is deleted.
        """
        response_id = await orphaned(self._responses, session)
        if response_id is not None and not await self._sessions.adopt(session["turn"], response_id):
            await self.responses([response_id])

    async def responses(self, response_ids: Iterable[str]) -> None:
        """Those that are still there."""
        for response_id in response_ids:
            try:
                await self._responses.delete_response(ResponseRequest(response_id=response_id))
            except NotFound:
                continue
