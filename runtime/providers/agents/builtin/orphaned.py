"""What a turn had begun whose process has died: a response that no turn shows yet."""

from __future__ import annotations

from collections.abc import Collection

from runtime.apis.responses.kept import ListResponsesRequest
from runtime.apis.responses.protocol import Responses
from runtime.ids import ordered_id
from runtime.sse import Json
from runtime.storage.sql import Row
from runtime.storage.sql.holding import LEASE_S


async def orphaned(responses: Responses, session: Row, known: Collection[str]) -> str | None:
    """The id of the response that was begun for the turn which a session is taken by; None where the turn is over, or
    had not come so far. It is looked for among those that were begun since the turn took the session, which is known
    to the second, while it could still have it. known: the ids of those that the turn shows. Raises Unavailable.
    """
    if session["turn"] is None:
        return None
    end = max(session["held_until"], session["used"] + LEASE_S)
    after, before = (ordered_id("resp_", int(moment * 1_000_000)) for moment in (session["used"], end))
    while True:
        asked = ListResponsesRequest(after=after, before=before, limit=100, order="asc")
        answer = await responses.list_responses(asked)
        page: Json = answer.value()
        for response in page["data"]:
            if response["metadata"].get("turn_id") == session["turn"] and response["id"] not in known:
                found: str = response["id"]
                return found
        if not page["has_more"]:
            return None
        after = page["last_id"]
