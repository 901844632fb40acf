"""An instruction that can be checked: what it is told, and whether an answer follows it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from runtime.providers.scoring._not_scored import NotScored

Argument = Literal["text", "texts", "number", "relation"]
RELATIONS = ("less than", "at least")


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """follows: whether an answer does, told its arguments by name. arguments: what they are."""

    follows: Callable[..., bool]
    arguments: Mapping[str, Argument]

    def told(self, given: Mapping[str, Any], at: str) -> dict[str, Any]:
        """Its arguments of those that are given; a null is none, and others are left out. at: where they are in the
        row. Raises NotScored for one that is missing or something else.
        """
        found = {}
        for name, kind in self.arguments.items():
            value = given.get(name)
            if value is None:
                raise NotScored(f"`{at}` has no `{name}`")
            if not _CHECKS[kind](value):
                raise NotScored(f"`{at}.{name}` is no {_NAMES[kind]}")
            found[name] = value
        return found


def holds(count: int, relation: str, wanted: float) -> bool:
    """Whether there are less than, or at least, so many."""
    return count < wanted if relation == RELATIONS[0] else count >= wanted


def _is_number(value: Any) -> bool:
    """Columns that are text of JSON may have infinity and NaN in them, which are none."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


_CHECKS: Mapping[Argument, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "texts": lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
    "number": lambda value: _is_number(value),
    "relation": lambda value: value in RELATIONS,
}
_NAMES: Mapping[Argument, str] = {
    "text": "text",
    "texts": "list of texts",
    "number": "number",
    "relation": "relation: there are `less than` and `at least`",
}
