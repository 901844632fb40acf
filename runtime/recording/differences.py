"""What differs between two requests, member by member, and which of many is the nearest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from typing import Any, NamedTuple

_COMPARED = 50
"""How many are compared closely; those that share the most members come first."""
_LOOKED_AT = 2_000
"""Characters of a text that are compared: the time grows with the square."""
_SHOWN = 100
ABSENT = "(absent)"


class Difference(NamedTuple):
    """path: of the member, such as `json.messages[1].content`. recorded, asked: as they are shown, around the place
    where they part.
    """

    path: str
    recorded: str
    asked: str

    def __str__(self) -> str:
        return f"{self.path}: recorded {self.recorded}, asked {self.asked}"


def differences(recorded: Any, asked: Any) -> list[Difference]:
    """Every member in which two values differ, in the order of the second."""
    ours, theirs = dict(_leaves(asked, "")), dict(_leaves(recorded, ""))
    found = []
    for path in dict.fromkeys([*ours, *theirs]):
        if path not in ours or path not in theirs or ours[path] != theirs[path]:
            shown = _shown(theirs.get(path, ABSENT), ours.get(path, ABSENT), path in theirs, path in ours)
            found.append(Difference(path, *shown))
    return found


def nearest(asked: Any, recorded: Iterable[tuple[Any, Any]]) -> Any | None:
    """The second of the pair whose first is most like `asked`; None where there is none."""
    ours = dict(_leaves(asked, ""))
    ranked = sorted(
        ((_shared(ours, theirs := dict(_leaves(value, ""))), place, theirs, what) for place, (value, what) in
         enumerate(recorded)),
        key=lambda one: (-one[0], one[1]),
    )[:_COMPARED]  # fmt: skip
    best = min(ranked, key=lambda one: (_distance(ours, one[2]), one[1]), default=None)
    return None if best is None else best[3]


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{place}]")
    else:
        yield path, value


def _shared(ours: dict[str, Any], theirs: dict[str, Any]) -> int:
    return sum(1 for path, value in ours.items() if path in theirs and theirs[path] == value)


def _distance(ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    """0 for the same, and up to 1 for each member that differs."""
    total = 0.0
    for path in ours.keys() | theirs.keys():
        one, other = ours.get(path), theirs.get(path)
        if one == other and path in ours and path in theirs:
            continue
        if isinstance(one, str) and isinstance(other, str):
            total += 1 - SequenceMatcher(None, one[:_LOOKED_AT], other[:_LOOKED_AT], autojunk=False).quick_ratio()
            total += 0.01  # they differ, perhaps beyond what is looked at
        else:
            total += 1
    return total


def _shown(recorded: Any, asked: Any, is_recorded: bool, is_asked: bool) -> tuple[str, str]:
    begin = 0
    if isinstance(recorded, str) and isinstance(asked, str) and is_recorded and is_asked:
        shorter = min(len(recorded), len(asked))
        begin = next((place for place in range(shorter) if recorded[place] != asked[place]), shorter)
    return _around(recorded, begin, is_recorded), _around(asked, begin, is_asked)


def _around(value: Any, begin: int, is_there: bool) -> str:
    """A value for one line, cut to what is around a place."""
    if not is_there:
        return ABSENT
    if not isinstance(value, str):
        return repr(value)[:_SHOWN]
    start = max(0, begin - _SHOWN // 4) if len(value) > _SHOWN else 0
    cut = value[start : start + _SHOWN]
    return f"{'…' if start else ''}{cut!r}{'…' if start + _SHOWN < len(value) else ''}"
