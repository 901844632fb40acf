"""Which fields must be whole numbers, numbers and truth values: OpenAI refuses `"5"` and `true` for a number."""

from __future__ import annotations

from typing import Any, TypeGuard

from runtime.conformance.upstream.wire import Refused

_INTEGERS = ("n", "max_tokens", "max_completion_tokens", "seed", "top_logprobs", "best_of", "dimensions")
_NUMBERS = ("temperature", "top_p", "frequency_penalty", "presence_penalty")
_BOOLEANS = ("stream", "echo", "parallel_tool_calls", "store")


def check_types(body: dict[str, Any]) -> None:
    """Raises Refused for the first field of another type. Makes `5.0` an integer, as JSON Schema has it."""
    for name in _INTEGERS:
        value = body.get(name)
        if _is_number(value) and value == int(value):
            body[name] = int(value)
        elif value is not None:
            raise _wrong(name, "an integer", value)
    for name in _NUMBERS:
        if body.get(name) is not None and not _is_number(body[name]):
            raise _wrong(name, "a decimal", body[name])
    for name in _BOOLEANS:
        if not isinstance(body.get(name), bool | None):
            raise _wrong(name, "a boolean", body[name])
    logprobs = body.get("logprobs")  # of a chat a truth value, of a completion a count
    if isinstance(logprobs, float) and logprobs == int(logprobs):
        body["logprobs"] = int(logprobs)
    elif not isinstance(logprobs, bool | int | None):
        raise _wrong("logprobs", "a boolean or an integer", logprobs)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wrong(name: str, wanted: str, value: Any) -> Refused:
    said = f"Invalid type for '{name}': expected {wanted}, but got {value!r} instead."
    return Refused(400, said, param=name, code="invalid_type")
