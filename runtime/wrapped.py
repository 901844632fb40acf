"""An object some of whose methods are others', such as a provider that is recorded. Imports nothing else of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


class Wrapped:
    """Everything else is its own, and so is what it counts as: from Python 3.12 on `isinstance` looks for what a
    Protocol has in an object's class, and does not ask the object.
    """

    def __init__(self, wrapped: Any, methods: Mapping[str, Callable[..., Any]]) -> None:
        self._wrapped = wrapped
        vars(self).update(methods)  # found at once: what `__getattr__` finds costs many times as much

    @property  # type: ignore[misc]  # in place of the class that it has
    def __class__(self) -> type:
        return type(self._wrapped)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)
