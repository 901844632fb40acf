"""Whether this host can keep code apart: tried once, when it is first needed."""

from __future__ import annotations

import asyncio

from runtime.errors import NotSupported
from runtime.providers.containers.bubblewrap.isolation import CannotIsolate, Isolation, check_host, find_isolation


class Isolating:
    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._found: Isolation | None = None
        self._trouble: CannotIsolate | None = None

    async def found(self) -> Isolation:
        """Raises NotSupported with what is missing. What failed is tried again, as it can have been allowed since."""
        async with self._lock:
            if self._found is None:
                try:
                    self._found = await asyncio.to_thread(find_isolation)
                except CannotIsolate as error:
                    self._trouble = error
                    raise NotSupported(
                        f"This host cannot keep the code of a container apart: {error.reason}",
                        hint=error.hint,
                        code="cannot_isolate",
                    ) from None
                self._trouble = None
            return self._found

    def trouble(self) -> str | None:
        """Why not, as far as is known without trying."""
        if self._found is not None:
            return None
        try:
            check_host()
        except CannotIsolate as error:
            self._trouble = error
        return f"{self._trouble.reason}; {self._trouble.hint}" if self._trouble else None
