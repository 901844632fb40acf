"""Which requests have which faults: drawn from a seed, so that the same requests have the same faults again, whatever
else is asked meanwhile. Knows no provider.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Sequence
from hashlib import sha256

from runtime.faults.parsing import Fault

_WORD, _DIGIT = re.compile(rb"[\w.:+-]+"), re.compile(rb"\d")
_MOST_KINDS = 10_000
_BITS = 53
"""As many as a float has."""


def drawn(seed: int, *place: object) -> float:
    """A number from 0 to below 1 that follows from the seed and the place alone, on every machine."""
    digest = sha256("\0".join(map(str, (seed, *place))).encode(errors="surrogateescape")).digest()
    number = int.from_bytes(digest[:8], "big") >> (64 - _BITS)
    return number / float(1 << _BITS)


class Alike:
    """Tells requests apart by what they ask, and those that ask the same by their order: so it does not matter in which
    order different ones come. Whatever has a digit in it, such as a number, an id or a time, counts as the same.
    """

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()

    def place(self, asked: bytes) -> tuple[str, int]:
        """What is asked, in short, and how often that was asked until now."""
        kind = sha256(_WORD.sub(_without_digits, asked)).hexdigest()
        if kind not in self._asked and len(self._asked) >= _MOST_KINDS:
            self._asked.clear()
        self._asked[kind] += 1
        return kind, self._asked[kind]


def _without_digits(word: re.Match[bytes]) -> bytes:
    return b"#" if _DIGIT.search(word[0]) else word[0]


class Turns:
    """Some faults, each of which comes in its turn."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = faults
        self._asked: Counter[int] = Counter()  # by place: two may be alike

    def one_of(self, kinds: Container[str], number: float) -> Fault | None:
        """The one that comes this time, if any: of those that are counted the first whose turn it is, else the one
        whose share has `number`, from 0 to below 1.
        """
        due = shared = None
        for place, fault in enumerate(self.faults):
            if fault.kind not in kinds:
                continue
            self._asked[place] += 1
            if fault.is_counted:
                due = due or (fault if fault.is_due(self._asked[place]) else None)
            elif shared is None:
                number -= fault.share
                shared = fault if number < 0 else None
        return due or shared

    def slowest(self, seed: int, *attempt: object) -> Fault | None:
        """Of the waits that come this time the longest, since each is drawn for itself."""
        waits = []
        for place, fault in enumerate(self.faults):
            if fault.kind == "slow":
                self._asked[place] += 1
                number = drawn(seed, *attempt, "slow", place)
                if fault.is_due(self._asked[place]) if fault.is_counted else number < fault.share:
                    waits.append(fault)
        return max(waits, key=lambda fault: fault.seconds or 0.0, default=None)
