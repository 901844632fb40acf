"""What expires and is found anew, such as credentials and tokens: once for all who need it at the time, and before the
end.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, Protocol, TypeVar

from runtime.clock import wall_time
from runtime.errors import StackError
from runtime.rounds import Rounds

log = logging.getLogger(__name__)

_RENEWED_BEFORE_S = 300.0
"""How long before the end something new is asked for. What lives for less than that is kept for half of its life."""

_PAUSE_S = 20.0
"""After a failure, for so long what is still valid is used without another attempt, for which requests would wait."""


class Expires(Protocol):
    """expires_at: in seconds since 1970; None for what does not expire, or does not say when."""

    @property
    def expires_at(self) -> float | None: ...


T = TypeVar("T", bound=Expires)


class Expiring(Generic[T]):
    """find: how it is found. whose: of which provider, for the log."""

    def __init__(self, find: Callable[[], Coroutine[Any, Any, T]], *, whose: str) -> None:
        self._find = find
        self._whose = whose
        self._rounds: Rounds[T] = Rounds()
        self._stamp: Hashable = None
        self._renewed_at: float | None = None
        self.known: T | None = None
        """What was found last."""

    async def get(self, stamp: Hashable = None) -> T:
        """What was found before, until shortly before it expires; also if finding it anew fails, until it expires.
        stamp: another one than before means that what was found is no longer of use. Raises what `find` raises.
        """
        known = self.known if stamp == self._stamp else None
        if known is not None and (self._renewed_at is None or wall_time() < self._renewed_at):
            return known
        try:
            return await self.renewed(stamp)
        except StackError as error:
            if known is None or (known.expires_at is not None and known.expires_at <= wall_time()):
                raise
            log.warning("credentials not renewed", extra={"provider_id": self._whose, "error": str(error)})
            self._renewed_at = wall_time() + _PAUSE_S
            return known

    async def renewed(self, stamp: Hashable = None) -> T:
        """What is found now; by a round that runs already, if there is one. Raises what `find` raises."""
        began = wall_time()
        found = self.known = await self._rounds.of(stamp, self._find)
        self._stamp, self._renewed_at = stamp, None
        if found.expires_at is not None:
            life_s = max(0.0, found.expires_at - began)
            self._renewed_at = found.expires_at - min(_RENEWED_BEFORE_S, life_s / 2)
        return found
