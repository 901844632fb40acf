"""Regular expressions of users, which may take for ever on some text: each row has a time limit.

By the package `regex`, whose searches end at a time limit and let other threads run meanwhile; of `re` neither holds.
It writes repeats out when it compiles, so that the ten characters of `a{99999999}` would take all memory there is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

import regex

from runtime.errors import RequestError

_MOST_WRITTEN_OUT = 50_000
"""Characters that the repeats of all expressions together may add."""
_REPEAT = re.compile(r"(\)\s*)?\{\s*(\d+)")
_VERBOSE = re.compile(r"\(\?[a-zA-Z]*x")


class TooSlow(Exception):
    """The expressions have not come to an end; its message says for how long."""


class Regexes:
    """Several expressions, the first that is found counts. timeout_s: of all of them, for one text. at: where they are
    in the request. Raises RequestError for one that is none.
    """

    def __init__(self, patterns: Sequence[str], *, timeout_s: float, at: str) -> None:
        if sum(map(_written_out, patterns)) > _MOST_WRITTEN_OUT:
            raise RequestError(
                f"`{at}` repeat too much: written out, they are longer than {_MOST_WRITTEN_OUT} characters",
                hint="ask for fewer than that, or say `*` and `+` where the number does not matter",
                param="params",
            )
        self._compiled = [_compiled(pattern, f"{at}[{place}]") for place, pattern in enumerate(patterns)]
        self._timeout_s = timeout_s

    def find_in(self, text: str) -> str | None:
        """The first group of the first expression that is found, or all that it matches where it has no groups. None
        where none is found. Raises TooSlow.
        """
        end = time.monotonic() + self._timeout_s
        for expression in self._compiled:
            try:
                match = expression.search(text, timeout=max(end - time.monotonic(), 1e-6), concurrent=True)
            except TimeoutError:
                raise TooSlow(f"the regular expressions have not come to an end in {self._timeout_s:g} s") from None
            if match is not None:
                return match.group(1 if expression.groups else 0) or ""
        return None


def _compiled(pattern: str, at: str) -> regex.Pattern[str]:
    try:
        return regex.compile(pattern, cache_pattern=False)
    except (regex.error, OverflowError, RecursionError) as error:
        raise RequestError(
            f"`{at}` is no regular expression: {error or 'it is nested too deeply'}", param="params"
        ) from None


def _written_out(pattern: str) -> int:
    """How many characters are added to it where its repeats are written out, at most: those of groups, which may be
    within one another, count together.
    """
    characters, times = len(pattern), 1
    for group, count in _REPEAT.findall(pattern):
        repeats = int(count) if len(count) < 10 else 10**9
        if group or _VERBOSE.search(pattern):  # there, a comment may come after the group
            times *= max(repeats, 1)
        else:
            characters += repeats
    return characters * times - len(pattern)
