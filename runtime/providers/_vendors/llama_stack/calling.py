"""Calls a method of llama-stack's earlier interface with the fields of a request of ours.

Such a method takes one model (since 0.4), or each field as an argument of its own; which ones its signature says.
"""

from __future__ import annotations

import inspect
import logging
import typing
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from runtime.context import warn
from runtime.errors import NotSupported, RequestError, StackError, UpstreamError, UpstreamRejected

log = logging.getLogger(__name__)


async def call(method: Callable[..., Awaitable[Any]], body: Mapping[str, Any], *, provider_id: str) -> Any:
    """What a method of theirs returns. A field that it does not take is said in a warning. Raises RequestError for
    values that it refuses, NotSupported, and UpstreamError for what fails beyond it.
    """
    try:
        return await method(**_arguments(method, body, provider_id))
    except Exception as error:
        raise translated(error, provider_id) from error


def translated(error: Exception, provider_id: str) -> StackError:
    """One of their exceptions as ours: they raise ValueError for a wrong request, and errors of HTTP clients."""
    if isinstance(error, StackError):
        return error
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and 400 <= status < 500 and status not in (401, 403):
        return UpstreamRejected(_words(error), provider_id=provider_id, upstream_status=status)
    if isinstance(error, NotImplementedError):
        return NotSupported(f"`{provider_id}` does not have this: {_words(error)}")
    if isinstance(error, ValueError):
        return RequestError(f"`{provider_id}` refuses this: {_words(error)}")
    log.warning("an implementation of llama-stack's interface failed", exc_info=error)
    return UpstreamError(
        f"`{provider_id}` failed: {type(error).__name__}",
        provider_id=provider_id,
        upstream_status=status if isinstance(status, int) else None,
    )


def as_json(value: Any) -> Any:
    """A model of theirs, or of a vendor's library, as JSON has it."""
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def _words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error) or type(error).__name__


def _arguments(method: Callable[..., Any], body: Mapping[str, Any], provider_id: str) -> dict[str, Any]:
    parameters = inspect.signature(method).parameters
    hints = _hints(method)
    models = {
        name: hint for name in parameters if isinstance(hint := hints.get(name), type) and issubclass(hint, BaseModel)
    }
    if len(parameters) == 1 and models:
        [(name, model)] = models.items()
        return {name: model.model_validate(body)}
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        return dict(body)
    for name in body.keys() - parameters.keys():
        warn(f"`{name}` has no effect: `{provider_id}` does not take it")
    return {name: _as(hints.get(name), value) for name, value in body.items() if name in parameters}


def _hints(method: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(method)
    except (NameError, TypeError, AttributeError):  # names that only a type checker imports
        return {}


def _as(hint: Any, value: Any) -> Any:
    """A value as the type that a parameter is said to have, where that is one that can be checked."""
    if hint is None:
        return value
    try:
        adapter = TypeAdapter(hint)
    except (PydanticSchemaGenerationError, PydanticUserError):
        return value
    return adapter.validate_python(value)
