"""Files with a token, which whoever writes them replaces before it expires: they are read each time."""

from __future__ import annotations

from pathlib import Path

from runtime.errors import Unavailable

_MOST_BYTES = 64 * 1024


def read_token(file: Path) -> str:
    """Raises Unavailable for a file that cannot be read, or has no token."""
    try:
        token = read_token_file(file).decode("ascii").strip()
    except UnicodeError:
        raise Unavailable(f"the token's file `{file}` cannot be read: it is no token") from None
    if not token.isprintable() or not token:
        raise Unavailable(f"the token's file `{file}` has no token", hint="a token is text of ASCII characters")
    return token


def read_token_file(file: Path) -> bytes:
    """The content of one that may have more than the token. Raises Unavailable for a file that cannot be read."""
    try:
        with file.expanduser().open("rb") as opened:
            return opened.read(_MOST_BYTES)
    except OSError as error:
        raise Unavailable(f"the token's file `{file}` cannot be read: {error.strerror}") from None
