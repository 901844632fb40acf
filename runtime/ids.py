"""Ids in the shapes that OpenAI's clients expect. Imports nothing else of ours."""

from __future__ import annotations

import os
import secrets

_DIGITS, _AT_ONCE = 24, 256
_ready: list[str] = []  # asking the system for random bytes takes longer than the rest of an id, so it is asked rarely
os.register_at_fork(after_in_child=_ready.clear)


def new_id(prefix: str) -> str:
    """`prefix` and 24 random hex digits, as in `chatcmpl-0f3c...`; the prefix brings its own separator."""
    try:
        return prefix + _ready.pop()
    except IndexError:
        digits = secrets.token_hex(_DIGITS * _AT_ONCE // 2)
        _ready.extend(digits[at : at + _DIGITS] for at in range(0, len(digits), _DIGITS))
        return prefix + secrets.token_hex(_DIGITS // 2)
