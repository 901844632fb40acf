"""The shape of errors on each path: OpenAI's, unless an API declares a door for the path's prefix. This includes
unknown paths below the prefix.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import Field

from runtime.apis._api import Api
from runtime.apis._doors import Door
from runtime.apis._request import Response
from runtime.errors import StackError
from runtime.server.masking import Hidden
from runtime.sse import Json, encode
from runtime.stdio import printable

_MESSAGE_LENGTH = 8000


def _openai(error: StackError, request_id: str) -> Json:
    """With the request's id beside the error, to find its lines in the log."""
    return {**error.body(), "request_id": request_id}


class ErrorDetail(Response):
    """What went wrong."""

    message: str = Field(description="What happened, to what, and what to do about it.")
    type: str = Field(description="The kind of error, such as `invalid_request_error`.")
    param: str | None = Field(description="The field of the request that is wrong; null if none is.")
    code: str | int | None = Field(
        description="A stable word for programs, such as `model_not_found`; null if there is none."
    )


class ErrorBody(Response):
    """An error in OpenAI's shape, https://platform.openai.com/docs/guides/error-codes."""

    error: ErrorDetail = Field(description="What went wrong.")
    request_id: str = Field(description="The request's id, by which the server's log has it.")


OPENAI = Door(prefixes=("/",), body=_openai, error=ErrorBody)


class DoorErrors:
    """Errors as they go out by one door: its JSON, with secrets masked and control characters escaped."""

    __slots__ = ("_hidden", "door")

    def __init__(self, door: Door = OPENAI, hidden: Hidden | None = None) -> None:
        self.door = door
        self._hidden = hidden or Hidden()

    def json(self, error: StackError, *, request_id: str) -> bytes:
        """The body of an answer."""
        return encode(self._readable(self.door.body(error, request_id)))

    def event(self, error: StackError, *, request_id: str) -> bytes:
        """The event that reports a failure in a stream that has already begun."""
        body = self.json(error, request_id=request_id)
        name = b"event: %b\n" % self.door.event.encode() if self.door.event else b""
        return b"%bdata: %b\n\n" % (name, body)

    def named_event(self, event: Json) -> bytes:
        """An event that reports a failure in the shape of its route. event: with its name as `type`."""
        return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), encode(self._readable(event)))

    def over_socket(self, error: StackError, *, request_id: str, told: Json | None = None) -> bytes:
        """The message that reports an error over a WebSocket: as an event of the type `error`, with its status. told:
        the event in the shape of its route, if that has one.
        """
        body = {"type": "error", "status": error.status, **self.door.body(error, request_id), **(told or {})}
        return encode(self._readable(body))

    def readable(self, text: str) -> str:
        """A text as it goes out."""
        text = self._hidden.without(text)
        return printable(text if len(text) <= _MESSAGE_LENGTH else text[:_MESSAGE_LENGTH] + "…")

    def _readable(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._readable(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._readable(inner) for inner in value]
        return self.readable(value) if isinstance(value, str) else value


class Doors:
    """The doors of a stack's APIs. hidden: what no error by them shows."""

    def __init__(self, apis: Iterable[Api], hidden: Hidden | None = None) -> None:
        self._openai = DoorErrors(OPENAI, hidden)
        declared = [
            (prefix.rstrip("/"), DoorErrors(api.door, hidden))
            for api in apis
            if api.door
            for prefix in api.door.prefixes
        ]
        self._by_prefix = sorted(declared, key=lambda one: len(one[0]), reverse=True)

    def of(self, path: str) -> DoorErrors:
        """The errors of a path, with its door."""
        for prefix, errors in self._by_prefix:
            if path == prefix or path.startswith((prefix + "/", prefix + ":")):
                return errors
        return self._openai
