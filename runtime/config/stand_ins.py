"""Placeholders for values whose variables are not set yet, while a distribution is built and not run.

Knows that a model needs some value there to be validated; not what any model means.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic_core import ErrorDetails

from runtime.config.document import Key, Node

_VALUES: tuple[Any, ...] = (1, True, "http://localhost", [], {})
_ERRORS_OF_A_MODEL = ("value_error", "assertion_error")

Steps = tuple[Key, ...]


class StandIns:
    """The placeholders in one tree. Each starts as a word. If the model refuses the word, the key is left out; if the
    key is required, the values of `_VALUES` are tried in turn.

    plain: the tree as plain dictionaries and lists, changed in place.
    """

    def __init__(self, node: Node, plain: Any) -> None:
        self._node = node
        self._plain = plain
        self._words = set(_awaited(node))
        self._values = {place: iter(_VALUES) for place in self._words}

    def next(self, errors: Sequence[ErrorDetails]) -> bool:
        """Change the placeholders that may have caused these errors. Returns whether there was one left to change."""
        if not self._values:
            return False
        found = [(error["type"], tuple(self._node.locate(error["loc"])[1])) for error in errors]
        at = {place for _, place in found}
        above = {place for kind, place in found if kind in _ERRORS_OF_A_MODEL}
        changed = False
        for place, values in self._values.items():
            if place in self._words and (place in at or any(place[: len(whole)] == whole for whole in above)):
                self._words.discard(place)
                changed = self._leave_out(place) or changed
            elif place in at and (value := next(values, None)) is not None:
                self._holder(place)[place[-1]] = value
                changed = True
        return changed

    def _leave_out(self, place: Steps) -> bool:
        holder = self._holder(place)
        if isinstance(holder, dict):
            del holder[place[-1]]
        return isinstance(holder, dict)  # an item of a list stays: without it, the others would move

    def _holder(self, place: Steps) -> Any:
        holder = self._plain
        for step in place[:-1]:
            holder = holder[step]
        return holder


def _awaited(node: Node, steps: Steps = ()) -> Iterator[Steps]:
    if node.awaits:
        yield steps
    elif isinstance(node.value, dict):
        for key, child in node.value.items():
            yield from _awaited(child, (*steps, key))
    elif isinstance(node.value, list):
        for index, item in enumerate(node.value):
            yield from _awaited(item, (*steps, index))
