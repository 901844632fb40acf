"""Files with a token, which whoever writes them replaces before it expires: they are read each time."""

from __future__ import annotations

from pathlib import Path

from runtime.errors import Unavailable

_MOST_BYTES = 64 * 1024


def read_token(file: Path) -> str:
    """Raises Unavailable for a file that cannot be read, or has no token."""
    try:
        with file.expanduser().open("rb") as opened:
            token = opened.read(_MOST_BYTES).decode("ascii").strip()
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no token"
        raise Unavailable(f"the token's file `{file}` cannot be read: {reason}") from None
    if not token.isprintable() or not token:
        raise Unavailable(f"the token's file `{file}` has no token", hint="a token is text of ASCII characters")
    return token
