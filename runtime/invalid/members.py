"""Of a plain union: which member a value was meant to be. Pydantic reports what is wrong with it as each of them."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_core import ErrorDetails

from runtime.invalid.expectations import OF_ANOTHER_TYPE
from runtime.invalid.places import Key, Member, Place

Located = tuple[ErrorDetails, Place]
_SHALLOW = {*OF_ANOTHER_TYPE, "enum", "literal_error"}


def of_the_best(located: Sequence[Located]) -> list[Located]:
    """The errors without those of members that the value comes less close to. The value is closest to the member that
    it has the kind of, then to the one that fewest errors are about. All stay where it has the kind of none.
    """
    by_union: dict[tuple[Key, ...], dict[Member, list[Located]]] = {}
    for error, place in located:
        for member in place.members:
            by_union.setdefault(member.union, {}).setdefault(member, []).append((error, place))
    dropped: set[Member] = set()
    for members in by_union.values():
        close = {one: len(errors) for one, errors in members.items() if not _is_of_another_kind(one.depth, errors)}
        if close:
            best = min(close, key=lambda member: close[member])
            dropped |= {member for member in members if member != best}
    return [(error, place) for error, place in located if dropped.isdisjoint(place.members)]


def _is_of_another_kind(depth: int, errors: list[Located]) -> bool:
    """Whether the value itself, and nothing in it, is refused by its kind. depth: of the value."""
    return all(len(place.steps) == depth and error["type"] in _SHALLOW for error, place in errors)
