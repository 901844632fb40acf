"""Of a plain union: which member a value was meant to be. Pydantic reports what is wrong with it as each of them."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_core import ErrorDetails

from runtime.invalid.expectations import OF_ANOTHER_TYPE
from runtime.invalid.places import Key, Place

Located = tuple[ErrorDetails, Place]
_SHALLOW = {*OF_ANOTHER_TYPE, "enum", "literal_error"}


def of_the_best(located: Sequence[Located]) -> list[Located]:
    """The errors without those of members that the value comes less close to. The value is closest to the member that
    it has the kind of, then to the one that fewest errors are about. All stay where it has the kind of none.
    """
    by_union: dict[tuple[Key, ...], dict[Key, list[Located]]] = {}
    for error, place in located:
        for union, member in place.members:
            by_union.setdefault(union, {}).setdefault(member, []).append((error, place))
    dropped: set[tuple[tuple[Key, ...], Key]] = set()
    for union, members in by_union.items():
        close = {member: len(errors) for member, errors in members.items() if not _is_of_another_kind(union, errors)}
        if close:
            best = min(close, key=lambda member: close[member])
            dropped |= {(union, member) for member in members if member != best}
    return [(error, place) for error, place in located if dropped.isdisjoint(place.members)]


def _is_of_another_kind(union: tuple[Key, ...], errors: list[Located]) -> bool:
    """Whether the value itself, and nothing in it, is refused by its kind."""
    return all(len(error["loc"]) == len(union) + 1 and error["type"] in _SHALLOW for error, _ in errors)
