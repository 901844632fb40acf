"""Whether calls are those that are wanted: their names, each argument's type, and its value among the right ones."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from runtime.providers.scoring.basic.bfcl.calls import Call

OPTIONAL = ""
"""Among the right values of an argument: it may be left out."""
_TYPES: Mapping[str, type] = {
    "string": str, "integer": int, "float": float, "number": float, "boolean": bool, "array": list, "tuple": list,
    "dict": dict, "object": dict, "any": str,
}  # fmt: skip
_INSIGNIFICANT = re.compile(r"[ ,./\-_*^]")
Wanted = Mapping[str, Mapping[str, Sequence[Any]]]
"""One call: the right values of each argument, by the name of the function."""


def why_wrong(calls: Sequence[Call], wanted: Sequence[Wanted], functions: Sequence[Mapping[str, Any]]) -> str:
    """Why calls are not those that are wanted, in whichever order; empty where they are. functions: their schemas."""
    if len(calls) != len(wanted):
        return f"there are {len(calls)} calls, and should be {len(wanted)}"
    reasons = [[_why_another(call, one, functions) for call in calls] for one in wanted]
    taken: dict[int, int] = {}
    for place in range(len(wanted)):
        if not _find_one(place, reasons, taken, set()):
            return next(reason for reason in reasons[place] if reason)
    return ""


def _find_one(place: int, reasons: Sequence[Sequence[str]], taken: dict[int, int], seen: set[int]) -> bool:
    """Give a wanted call one of those that match; others give theirs up for another where they can. H. Kuhn, 1955."""
    for at, reason in enumerate(reasons[place]):
        if not reason and at not in seen:
            seen.add(at)
            if at not in taken or _find_one(taken[at], reasons, taken, seen):
                taken[at] = place
                return True
    return False


def _why_another(call: Call, wanted: Wanted, functions: Sequence[Mapping[str, Any]]) -> str:
    [(name, right)] = wanted.items()
    if call.name not in (name, name.replace(".", "_")):  # tools of a chat have no dots in their names
        return f"`{call.name}` is called, and not `{name}`"
    schema = next((one for one in functions if one.get("name") == name), {})
    parameters = _object(schema.get("parameters"))
    properties, required = _object(parameters.get("properties")), parameters.get("required")
    for name in required if isinstance(required, list) else ():
        if name not in call.arguments:
            return f"`{name}` is missing"
    for argument, value in call.arguments.items():
        if argument not in properties or argument not in right:
            return f"`{argument}` is no argument"
        if reason := _why_no_value(value, _object(properties[argument]), right[argument]):
            return f"`{argument}` {reason}"
    for argument, values in right.items():
        if argument not in call.arguments and OPTIONAL not in values:
            return f"`{argument}` is missing, and is not optional"
    return ""


def _object(value: Any) -> Mapping[str, Any]:
    """What should be an object; nothing where it is none."""
    return value if isinstance(value, Mapping) else {}


def _why_no_value(value: Any, schema: Mapping[str, Any], right: Sequence[Any]) -> str:
    """Of the type that the schema says, or of the right values' own, which is text where they are variables."""
    kind = _TYPES.get(str(schema.get("type")), str)
    if kind is float and type(value) is int:
        value = _as_float(value)
    usual = next((type(one) for one in right if one != OPTIONAL), None)
    if type(value) is not kind and type(value) is not usual:
        return f"is of the type `{type(value).__name__}`, and should be `{kind.__name__}`"
    if isinstance(value, list) and _TYPES.get(str(_object(schema.get("items")).get("type"))) is int:
        right = [one for one in right if not isinstance(one, list) or all(map(_are_as_exact, value, one))]
    return "" if _is_among(value, right) else "has another value than those that are right"


def _are_as_exact(value: Any, right: Any) -> bool:
    """Whether a value is no `1.0` in the place of a `1`."""
    return not (isinstance(value, float) and isinstance(right, int))


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _is_among(value: Any, right: Sequence[Any]) -> bool:
    return any(_is(value, one) for one in right if one != OPTIONAL or value == OPTIONAL)


def _is(value: Any, right: Any) -> bool:
    if isinstance(value, str) and isinstance(right, str):
        return _plain(value) == _plain(right)
    if isinstance(value, list) and isinstance(right, list):
        return len(value) == len(right) and all(map(_is, value, right))
    if isinstance(value, dict) and isinstance(right, dict):
        return _is_object(value, right)
    return isinstance(value, bool) == isinstance(right, bool) and bool(value == right)


def _is_object(value: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """right: the right values of each member, as of arguments."""
    values = {name: one if isinstance(one, list) else [one] for name, one in right.items()}
    return all(name in values and _is_among(one, values[name]) for name, one in value.items()) and all(
        name in value or OPTIONAL in one for name, one in values.items()
    )


def _plain(text: str) -> str:
    """A text without what does not matter in it: `April 1, 2024` is `april 1 2024`."""
    return _INSIGNIFICANT.sub("", text).lower().replace("'", '"')
