"""The arguments that a model calls a tool with, as the tool has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from runtime.sse import Json, decode

T = TypeVar("T")


def reader(kind: type[T]) -> Callable[[str], T]:
    """What reads arguments as a struct of msgspec; none at all are those of an empty object. It raises
    msgspec.DecodeError for what cannot be read, also for what is nested too deeply.
    """
    decode = msgspec.json.Decoder(kind).decode

    def read(arguments: str) -> T:
        try:
            return decode(arguments or "{}")
        except RecursionError as error:
            raise msgspec.DecodeError("nested too deeply") from error

    return read


def arguments_of(arguments: str) -> tuple[Json, str]:
    """The arguments of a tool that may have any, and what is wrong with them if something is."""
    try:
        return decode((arguments or "{}").encode()), ""
    except msgspec.DecodeError as error:
        return {}, f"The arguments cannot be read: {error}"
    except TypeError:
        return {}, "The arguments are no JSON object"
