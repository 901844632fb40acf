"""How much of a session is read for one answer."""

from __future__ import annotations

from runtime.errors import TooLarge

MOST_BYTES = 64 * 1024 * 1024
"""As JSON: as much as the body of a request may be."""


def check_size(size_bytes: int) -> None:
    """Raises TooLarge for turns that are more than that."""
    if size_bytes > MOST_BYTES:
        raise TooLarge(
            f"The turns of the session have more than {MOST_BYTES} bytes, which is the most that is read at once",
            hint="ask for some of them with `turn_ids`, or for each by its own path",
            param="turn_ids",
        )
