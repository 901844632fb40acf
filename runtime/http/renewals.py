"""Gets new credentials after a refusal: once, also if several calls were refused."""

from __future__ import annotations

from runtime.http.auth import Renews
from runtime.http.transport import Outgoing
from runtime.rounds import Rounds


class Renewals:
    """The renewals that are running, by the refused key."""

    def __init__(self) -> None:
        self._rounds: Rounds[bool] = Rounds()

    async def renewed(self, auth: Renews, request: Outgoing, refused: Outgoing) -> bool:
        """Whether `request`, which was sent as `refused`, can now be sent with another key. If a caller leaves, the
        renewal goes on for the others. Raises what `Renews.renew` raises.
        """
        key = (await auth.apply(request)).key
        if key is not None and key != refused.key:  # another call has already renewed it
            return True
        return await self._rounds.of(refused.key, lambda: auth.renew(refused))
