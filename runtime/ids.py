"""Ids in the shapes that OpenAI's clients expect."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable

from runtime.clock import wall_time

_DIGITS, _AT_ONCE = 24, 256


class RandomDigits:
    """Texts of so many random hex digits, not all of them 0. Asking the system for random bytes takes longer than all
    the rest of an id, so it is asked for many at once.
    """

    def __init__(self, digits: int) -> None:
        self._digits = digits
        self._none = "0" * digits
        self._ready: list[str] = []
        os.register_at_fork(after_in_child=self._ready.clear)

    def __call__(self) -> str:
        try:
            return self._ready.pop()
        except IndexError:
            digits, many = self._digits, secrets.token_hex(self._digits * _AT_ONCE // 2)
            several = (many[at : at + digits] for at in range(0, len(many), digits))
            self._ready.extend(one for one in several if one != self._none)
            return self()


_random_digits = RandomDigits(_DIGITS)


def new_id(prefix: str) -> str:
    """`prefix` and 24 random hex digits, as in `chatcmpl-0f3c...`; the prefix brings its own separator."""
    return prefix + _digits_for(prefix)


def use(*, digits: Callable[[str, int], str], position: Callable[[], int]) -> None:
    """Ids of another kind for this process: digits gives so many hex digits for an id with this prefix, position what
    `new_position` returns.
    """
    global _other_digits, _other_position
    _other_digits, _other_position = digits, position


_other_digits: Callable[[str, int], str] | None = None
_other_position: Callable[[], int] | None = None


def _digits_for(prefix: str) -> str:
    if _other_digits is not None:
        return _other_digits(prefix, _DIGITS)
    return _random_digits()


_POSITION_DIGITS = 13
_ordered = re.compile(
    rf"(?:\A|[_-])([0-9a-f]{{{_POSITION_DIGITS}}})[0-9a-f]{{{_DIGITS - _POSITION_DIGITS}}}([0-9a-f]{{{_DIGITS}}})?\Z"
)
_last_position = 0


def new_position() -> int:
    """A number by which things are listed in the order in which they were made: microseconds since 1970, and greater
    than every earlier one of this process.
    """
    global _last_position
    if _other_position is not None:
        return _other_position()
    _last_position = max(int(wall_time() * 1_000_000), _last_position + 1)
    return _last_position


def ordered_id(prefix: str, position: int) -> str:
    """`prefix` and 24 hex digits, the first of which are the position, the others random: so that a page can begin
    after something that was deleted since.
    """
    return f"{prefix}{position:0{_POSITION_DIGITS}x}{_digits_for(prefix)[_POSITION_DIGITS:]}"


def position_in(ordered: str) -> int | None:
    """The position in an id that `ordered_id` made, also where `new_id` has made that longer; None for an id of another
    form. One of the same form from elsewhere has a number too, which means nothing.
    """
    found = _ordered.search(ordered)
    return int(found[1], 16) if found else None
