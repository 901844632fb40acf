"""How much one response is made from: what went before, the items that are referred to and what files were read as.

A short request can name much, and the same thing often. So everything is counted together, each time that it is used:
what is kept before it is loaded, a file before the next one is read.
"""

from __future__ import annotations

from runtime.errors import TooLarge

MOST_BYTES = 64 * 1024 * 1024
"""As JSON: as much as the body of a request may be. What the request itself brings is not counted."""


class Budget:
    """Of one response."""

    def __init__(self) -> None:
        self._used_bytes = 0

    @property
    def left_bytes(self) -> int:
        return MOST_BYTES - self._used_bytes

    def check(self, size_bytes: int, what: str, *, param: str) -> None:
        """Raises TooLarge where this is more than what is left. what: ends the words `with ...`."""
        if size_bytes > self.left_bytes:
            raise TooLarge(
                f"With {what}, the response would be made from at least {self._used_bytes + size_bytes} bytes beside"
                f" the request itself, and at most {MOST_BYTES} are read",
                hint="name less of what is kept: continue an earlier response, refer to fewer items and files, or begin"
                " anew",
                param=param,
            )

    def take(self, size_bytes: int, what: str, *, param: str) -> None:
        """Count this. Raises as `check` does."""
        self.check(size_bytes, what, param=param)
        self._used_bytes += size_bytes
