"""Settings of providers that keep one or several models in memory: when each is loaded and how long it stays. Imports
pydantic and no libraries of models.

`keep_alive` is Ollama's, in a request too: https://github.com/ollama/ollama/blob/main/docs/faq.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from runtime.durations import parse_duration
from runtime.errors import StackError

FOR_EVER = -1.0


def keep_alive_seconds(value: Any) -> float:
    """Seconds, infinity for a negative value. Raises ValueError for what is neither a number nor a duration."""
    if isinstance(value, str):
        is_negative = value.startswith("-")
        value = -parse_duration(value[1:]) if is_negative else parse_duration(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # NaN
        raise ValueError("give seconds, a duration such as `10m`, 0 for not at all, or -1 for ever")
    try:
        return math.inf if value < 0 else float(value)
    except OverflowError:
        return math.inf


def _written(value: Any) -> float:
    seconds = keep_alive_seconds(value)
    return FOR_EVER if seconds == math.inf else seconds


KeepAlive = Annotated[float, BeforeValidator(_written)]
"""A setting: seconds, given as `10m` or as a number; -1 is for ever."""


class KeptSettings(BaseModel):
    """When a model is loaded, and how long it stays."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    keep_alive: KeepAlive = Field(
        FOR_EVER,
        description="How long a model stays in memory after its last answer, such as `10m` or a number of seconds;"
        " 0 is not at all, -1 for ever. A request's own `keep_alive` counts before it.",
    )
    pinned: bool = Field(
        False, description="Whether it stays in memory whatever happens: it makes no room for other models."
    )
    preload: bool | None = Field(
        None,
        description="Whether it is loaded when the server starts, not by its first request; by default so for the first"
        " model and for pinned ones.",
    )

    @property
    def keep_alive_s(self) -> float:
        """Infinity for ever."""
        return math.inf if self.keep_alive < 0 else self.keep_alive

    def filled(self, provider: KeptSettings) -> Self:
        """The same with every setting that it leaves out as for the provider."""
        shared = type(self).model_fields.keys() & type(provider).model_fields.keys()
        update = {name: getattr(provider, name) for name in shared - self.model_fields_set}
        return self.model_copy(update=update)


E = TypeVar("E", bound=KeptSettings)
MaxLoadedModels = Annotated[
    int | None,
    Field(
        ge=1,
        description="Models that are in memory at once; for one more, the one that was not used for the longest time is"
        " unloaded. By default as many as there is memory for.",
    ),
]


def weights_not_here(entries: Sequence[E], listed: int, find: Callable[[E], object]) -> dict[str, StackError | None]:
    """As `runtime/stack/weights.py` asks for it. listed: how many of the entries, the last ones, are those of `models`.
    find: raises Unavailable where there are no weights.
    """
    found: dict[str, StackError | None] = {}
    for place, entry in enumerate(entries, start=listed - len(entries)):
        key = "model" if place < 0 else f"models[{place}].model"
        try:
            find(entry)
            found[key] = None
        except StackError as error:
            found[key] = error
    return found


def named(given: Any) -> Any:
    """A name in place of an entry is an entry with that `model`."""
    return {"model": given} if isinstance(given, str) else given


def every_entry(first: E, others: Sequence[E], provider: KeptSettings) -> list[E]:
    """Every model with all its settings, in the order in which they are served; the first and pinned ones are loaded at
    the start unless they say. first: of the provider's own `model`, which is left out where there are others and none
    of what it is made of was given.
    """
    is_served = not others or not provider.model_fields_set.isdisjoint(first.model_fields_set)
    found = [entry.filled(provider) for entry in ([first] if is_served else []) + list(others)]
    for position, entry in enumerate(found):
        if entry.preload is None:
            entry.preload = position == 0 or entry.pinned
    return found
