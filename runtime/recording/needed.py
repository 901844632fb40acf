"""What a text has to hold for a pattern to be found in it. Looked for first, since it takes a hundredth of the time: a
pattern that begins with no letter of its own is tried at each place of a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from re import _constants as op  # type: ignore[attr-defined]  # of CPython 3.11 and newer
from re import _parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple


class Sought(NamedTuple):
    """A pattern, and what `needed` says of it."""

    pattern: re.Pattern[str]
    needs: tuple[str, ...]

    @classmethod
    def of(cls, pattern: str) -> Sought:
        """Raises re.error."""
        return cls(re.compile(pattern), needed(pattern))

    def may_be_in(self, small: str | None) -> bool:
        """small: the text in small letters; None for one that is not ASCII, whose letters have more than two cases."""
        return small is None or not self.needs or any(one in small for one in self.needs)


def small_letters(text: str) -> str | None:
    """See `Sought.may_be_in`."""
    return text.lower() if text.isascii() else None


def needed(pattern: str) -> tuple[str, ...]:
    """Some texts in small letters, one of which is in each ASCII text, in small letters, in which the pattern is found;
    empty where nothing can be told.
    """
    return tuple(sorted(_best(_of_all(_parser.parse(pattern)))))


def _of_all(items: Any) -> Iterable[frozenset[str]]:
    """What parts of a pattern need that follow each other: one of each set."""
    run = ""
    for code, value in items:
        if code is op.LITERAL and value < 128:
            run += chr(value).lower()
            continue
        if run:
            yield frozenset((run,))
            run = ""
        if code is op.BRANCH:
            yield _of_any(value[1])
        elif code is op.SUBPATTERN:
            yield from _of_all(value[3])
        elif code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT) and value[0] >= 1:
            yield from _of_all(value[2])
        elif code is op.ATOMIC_GROUP:
            yield from _of_all(value)
    if run:
        yield frozenset((run,))


def _of_any(ways: Any) -> frozenset[str]:
    """What one of several ways needs; empty where one of them needs nothing."""
    each = [_best(_of_all(way)) for way in ways]
    return frozenset().union(*each) if all(each) else frozenset()


def _best(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    """The set that says most: whose shortest text is the longest."""
    return max((one for one in sets if one), key=lambda one: (min(map(len, one)), -len(one)), default=frozenset())
