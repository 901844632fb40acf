"""Requests from JSON: a body over HTTP, a message over a WebSocket, or a line of a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from runtime.apis._request import Request
from runtime.errors import RequestError, UnsupportedMedia
from runtime.invalid.vocabulary import quoted
from runtime.parsing.amounts import LIGHT_BYTES, USUAL, Amount, check_amount

Complete = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes the fields of a request of those in its body."""


async def request_from(
    model: type[Request], raw: bytes, *, kind: bytes = b"", most: Amount = USUAL, complete: Complete | None = None
) -> Any:
    """The request in some JSON, which keeps the bytes (`with_raw`). kind: its content type. most: what it may hold.

    Long JSON is counted and validated in another thread. Raises RequestError with every invalid field, UnsupportedMedia
    for what neither is JSON nor claims to be, TooLarge, and what `complete` raises.
    """
    if len(raw) <= LIGHT_BYTES:
        return _validated(model, raw, kind, complete)
    return await asyncio.to_thread(_counted, model, raw, kind, most, complete)


def _counted(model: type[Request], raw: bytes, kind: bytes, most: Amount, complete: Complete | None) -> Any:
    check_amount(raw, most)
    return _validated(model, raw, kind, complete)


def _validated(model: type[Request], raw: bytes, kind: bytes, complete: Complete | None) -> Any:
    if complete is not None:
        return validated(model, complete(json_object(raw, kind))).with_raw(raw)
    try:
        return model.model_validate_json(raw, strict=True).with_raw(raw)
    except ValidationError as error:
        raise _in_words(error, model, json_object(raw, kind)) from error


def validated(model: type[Request], given: dict[str, Any]) -> Any:
    """The request of some fields. Raises RequestError with every invalid one."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise _in_words(error, model, given) from error


def _in_words(error: ValidationError, model: type[Request], given: dict[str, Any]) -> RequestError:
    from runtime.invalid.in_json import invalid_request  # not above: a start does without

    return invalid_request(error, model, given)


def json_object(raw: bytes, kind: bytes) -> dict[str, Any]:
    """The JSON object in a body. kind: its content type, which matters only where the body is not JSON: `curl -d` sends
    JSON as a form. Raises RequestError for anything else, UnsupportedMedia where the content type says so.
    """
    try:
        value = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        words = f"The body is not JSON: {error}"
        if kind and b"json" not in kind.lower():
            shown = quoted(kind.decode("latin-1"))
            hint = f"its content type is `{shown}`, but only JSON is accepted here"
            raise UnsupportedMedia(words, hint=hint) from error
        raise RequestError(words, code="invalid_json") from error
    if not isinstance(value, dict):
        raise RequestError("The body is JSON, but not an object", code="invalid_json")
    return value
