"""A door: a part of the paths where clients of one vendor's protocol come in, with that protocol's shape of errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel

from runtime.errors import StackError
from runtime.sse import Json


@dataclass(frozen=True, kw_only=True)
class Door:
    """The shape of errors below some paths, unknown ones included.

    prefixes: the paths, such as `/v1/messages`; each stands for itself and all below it. body: the JSON of an error in
    the request with an id. event: the name of the event by which a stream reports an error, None for events without
    names. error: the model of that JSON, for documentation.
    """

    prefixes: tuple[str, ...]
    body: Callable[[StackError, str], Json]
    event: str | None = None
    error: type[BaseModel] | None = None
