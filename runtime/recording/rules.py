"""What of a request counts when its recording is looked for: the rules of `rules.yaml`, applied.

`Asked` is a request after these rules. Two that are equal in `text` ask for the same, if their vectors are near.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import sha256
from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml

from runtime.recording.bodies import Held
from runtime.recording.hiding import HIDDEN
from runtime.recording.needed import Sought, small_letters
from runtime.sse import Json

_encode = msgspec.json.Encoder(order="sorted").encode
_NOT_ASKED = frozenset(("headers", "server"))


class Rules(NamedTuple):
    """`rules.yaml`, its patterns compiled."""

    without_effect: frozenset[str]
    usual: Mapping[str, Any]
    query: frozenset[str]
    digits: int
    vector_length: int
    similarity: float
    ids: Sought
    texts: tuple[tuple[Sought, str], ...]


class Asked(NamedTuple):
    """A request after the rules. value: what is compared. key: its digest. vectors: those in it, in order. letter: a
    digest of what is asked before the rules. has_hidden: whether something secret was left out.
    """

    value: Json
    key: str
    vectors: tuple[tuple[float, ...], ...]
    letter: str
    has_hidden: bool


@cache
def the_rules() -> Rules:
    given: Mapping[str, Any] = yaml.safe_load(Path(__file__).with_name("rules.yaml").read_text(encoding="utf-8"))
    return Rules(
        frozenset(given["without_effect"]),
        given["usual"],
        frozenset(given["query"]),
        given["significant_digits"],
        given["vector_length"],
        given["vector_similarity"],
        Sought.of("|".join(f"(?:{pattern})" for pattern in given["ids"])),
        tuple((Sought.of(one["pattern"]), one["instead"]) for one in given["texts"]),
    )


def asked(request: Json) -> Asked:
    """A request of a recording (`documents.py`) after the rules."""
    normal = _Normal(the_rules())
    value: Json = {}
    for name, part in request.items():
        if name in _NOT_ASKED:
            continue
        if name == "query":
            value[name] = sorted([key, normal.of(text)] for key, text in part if key not in normal.rules.query)
        elif name == "json":
            value[name] = normal.of(_with_effect(part, normal.rules))
        else:
            value[name] = normal.of(part)
    if not value.get("query"):
        value.pop("query", None)
    letter = {name: part for name, part in request.items() if name not in _NOT_ASKED}
    return Asked(value, _digest(value), tuple(normal.vectors), _digest(letter), has_hidden(value))


def _digest(value: Json) -> str:
    return sha256(_encode(value)).hexdigest()


def fits_hidden(recorded: Any, asked: Any) -> bool:
    """Whether two values after the rules are the same, whatever stands where the first has something hidden."""
    if isinstance(recorded, dict) and isinstance(asked, dict):
        return recorded.keys() == asked.keys() and all(fits_hidden(one, asked[name]) for name, one in recorded.items())
    if isinstance(recorded, list) and isinstance(asked, list):
        return len(recorded) == len(asked) and all(map(fits_hidden, recorded, asked))
    if isinstance(recorded, str) and isinstance(asked, str) and HIDDEN in recorded:
        first, *others = recorded.split(HIDDEN)
        place = len(first) if asked.startswith(first) else -1
        for part in others[:-1]:
            found = asked.find(part, place + 1) if place >= 0 else -1
            place = found + len(part) if found >= 0 else -1
        return place >= 0 and asked.endswith(others[-1]) and len(asked) - len(others[-1]) > place
    return bool(recorded == asked)


def has_hidden(value: Any) -> bool:
    """Whether something secret was left out of a part of a recording."""
    if isinstance(value, str):
        return HIDDEN in value
    if isinstance(value, Held):
        return HIDDEN.encode() in value.data
    if isinstance(value, dict):
        return any(map(has_hidden, value.values()))
    return isinstance(value, list) and any(map(has_hidden, value))


def are_near(some: Iterable[tuple[float, ...]], others: Iterable[tuple[float, ...]]) -> bool:
    """Whether each vector is near its counterpart."""
    least = the_rules().similarity
    return all(cosine(one, other) >= least for one, other in zip(some, others, strict=True))


def normal_text(text: str) -> str:
    """A text without what may differ each time, such as ids and times."""
    return _Normal(the_rules()).text(text)


def _with_effect(body: Any, rules: Rules) -> Any:
    if not isinstance(body, dict):
        return body
    return {
        name: value
        for name, value in body.items()
        if not (name in rules.without_effect or value is None or (name in rules.usual and value == rules.usual[name]))
    }


class _Normal:
    """One request on its way through the rules."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.vectors: list[tuple[float, ...]] = []
        self._names: dict[str, str] = {}

    def of(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int | float):
            return self._number(value)
        if isinstance(value, dict):
            return {self.text(name): self.of(value[name]) for name in sorted(value)}
        if isinstance(value, list):
            return self._vector(value) if self._is_vector(value) else [self.of(one) for one in value]
        if isinstance(value, Held):
            return {"sha256": sha256(value.data).hexdigest()}
        return value

    def text(self, text: str) -> str:
        small = small_letters(text)  # what is put in place of something has nothing that a later rule looks for
        for sought, instead in self.rules.texts:
            if sought.may_be_in(small):
                text = sought.pattern.sub(instead, text)
        ids = self.rules.ids
        return ids.pattern.sub(self._name, text) if ids.may_be_in(small) else text

    def _name(self, found: re.Match[str]) -> str:
        return self._names.setdefault(found[0], f"<id {len(self._names) + 1}>")

    def _number(self, number: float) -> float:
        if isinstance(number, int) or number != number or number in (float("inf"), float("-inf")):
            return number
        rounded = float(f"{number:.{self.rules.digits}g}")
        return int(rounded) if rounded.is_integer() and abs(rounded) < 2**53 else rounded

    def _is_vector(self, value: list[Any]) -> bool:
        """Lists of whole numbers alone are tokens."""
        kinds = set(map(type, value)) if len(value) >= self.rules.vector_length else set()
        return float in kinds and kinds <= {int, float}

    def _vector(self, value: list[float]) -> str:
        self.vectors.append(tuple(map(float, value)))
        return f"<vector of {len(value)}>"


def cosine(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Of the angle between two vectors; 0 for two of other lengths."""
    if len(one) != len(other):
        return 0.0
    lengths = sqrt(sum(x * x for x in one)) * sqrt(sum(x * x for x in other))
    return sum(x * y for x, y in zip(one, other, strict=True)) / lengths if lengths else float(one == other)
