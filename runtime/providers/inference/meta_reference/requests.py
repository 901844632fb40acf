"""OpenAI's request fields as the engine's parameters. A field that the engine cannot honour is an error; an unknown one
is a warning.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypedDict

from runtime.apis.inference.protocol import ChatCompletionRequest, CompletionRequest
from runtime.context import current, warn
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.scheduling.scheduler import IDLE_PRIORITY
from runtime.errors import RequestError
from runtime.providers.inference._extra_fields import extra_fields, warn_ignored, warn_unknown
from runtime.providers.inference.meta_reference.defaults import SamplingDefaults
from runtime.providers.inference.meta_reference.formats import FORMAT_FIELDS

# vLLM's names for parameters that OpenAI does not have: https://docs.vllm.ai/en/latest/api/vllm/sampling_params.html
_EXTRA_FIELDS = {"top_k": int, "min_p": float, "repetition_penalty": float, "ignore_eos": bool}
_LINE_FIELDS = frozenset({"priority", "cache_salt"})
_MAX_PRIORITY = 1000
_MAX_STOPS, _MAX_STOP_CHARACTERS = 64, 4096
_READ_ELSEWHERE = FORMAT_FIELDS | _LINE_FIELDS | {"chat_template_kwargs", "keep_alive", "response_format"}


def chat_params(request: ChatCompletionRequest, defaults: SamplingDefaults) -> SamplingParams:
    """The parameters of a chat. Raises RequestError for bad values."""
    if request.verbosity not in (None, "medium"):
        warn_ignored("verbosity")
    if request.top_logprobs is not None and not request.logprobs:
        raise RequestError("`top_logprobs` needs `logprobs: true`", param="top_logprobs")
    limit = request.max_completion_tokens
    if limit is None:
        limit = request.max_tokens
    elif limit < 1:
        raise RequestError(
            f"`max_completion_tokens` is {limit}; it must be 1 or more.",
            param="max_completion_tokens",
            code="invalid_value",
        )
    logprobs = (request.top_logprobs or 0) if request.logprobs else None
    return _params(request, defaults, max_tokens=limit, logprobs=logprobs)


def completion_params(request: CompletionRequest, defaults: SamplingDefaults) -> SamplingParams:
    """The parameters of a completion. Raises RequestError for bad values."""
    limit = 16 if request.max_tokens is None else request.max_tokens
    if limit == 0 and request.echo:
        limit = 1  # the engine always makes a token; it is left out
    params = _params(request, defaults, max_tokens=limit, logprobs=request.logprobs)
    return replace(params, prompt_logprobs=bool(request.echo) and request.logprobs is not None)


def stop_strings(stop: str | list[str] | None) -> list[str]:
    """The stop strings of a request. Raises RequestError for more than can be searched quickly after every token."""
    stops = [stop] if isinstance(stop, str) else stop or []
    if len(stops) > _MAX_STOPS or sum(map(len, stops)) > _MAX_STOP_CHARACTERS:
        raise RequestError(
            f"`stop` has {len(stops)} strings of {sum(map(len, stops))} characters in all; at most {_MAX_STOPS} and"
            f" {_MAX_STOP_CHARACTERS} are looked for",
            param="stop",
        )
    return stops


class PlaceInLine(TypedDict):
    """Which requests come before this one, and which may use what it has computed. See `Engine.generate`."""

    priority: int
    cache_salt: str


def place_in_line(request: ChatCompletionRequest | CompletionRequest) -> PlaceInLine:
    """vLLM's fields `priority`, of which lower is earlier (default 0), and `cache_salt` (default: none). A request that
    nobody waits for comes after all others. Raises RequestError for values of another kind.
    """
    extra = extra_fields(request)
    priority = _extra_value("priority", int, extra.get("priority", 0))
    if abs(priority) > _MAX_PRIORITY:
        raise RequestError(
            f"`priority` is {priority}; it must be between {-_MAX_PRIORITY} and {_MAX_PRIORITY}.",
            param="priority",
            code="invalid_value",
        )
    salt = extra.get("cache_salt", "")
    if not isinstance(salt, str):
        raise RequestError("`cache_salt` must be of type str", param="cache_salt")
    if current().in_background:
        priority += IDLE_PRIORITY + _MAX_PRIORITY
    return {"priority": priority, "cache_salt": salt}


def _params(
    request: ChatCompletionRequest | CompletionRequest,
    defaults: SamplingDefaults,
    *,
    max_tokens: int | None,
    logprobs: int | None,
) -> SamplingParams:
    extra = extra_fields(request)
    extras = {name: _extra_value(name, kind, extra.pop(name)) for name, kind in _EXTRA_FIELDS.items() if name in extra}
    warn_unknown(extra.keys() - _READ_ELSEWHERE, {*type(request).model_fields, *_EXTRA_FIELDS, *_READ_ELSEWHERE})
    asked = {name for name in defaults.advised() if getattr(request, name, None) is not None} | extras.keys()
    if taken := {name: value for name, value in defaults.advised().items() if name not in asked}:
        warn("this model's defaults: " + ", ".join(f"{name} {value}" for name, value in taken.items()))
    return SamplingParams(
        temperature=defaults.temperature if request.temperature is None else request.temperature,
        top_p=defaults.top_p if request.top_p is None else request.top_p,
        max_tokens=max_tokens,
        seed=request.seed,
        frequency_penalty=(
            defaults.frequency_penalty if request.frequency_penalty is None else request.frequency_penalty
        ),
        presence_penalty=request.presence_penalty or 0.0,
        logit_bias=_logit_bias(request.logit_bias),
        logprobs=logprobs,
        **{
            "top_k": defaults.top_k,
            "min_p": defaults.min_p,
            "repetition_penalty": defaults.repetition_penalty,
            **extras,
        },
    )


def _extra_value(name: str, kind: type, value: Any) -> Any:
    if isinstance(value, bool) != (kind is bool) or not isinstance(value, int | float):
        raise RequestError(f"`{name}` must be of type {kind.__name__}", param=name)
    try:
        taken = kind(value)
    except (OverflowError, ValueError) as error:  # infinity, NaN
        raise RequestError(f"`{name}` is not a finite number", param=name) from error
    if taken != value:
        raise RequestError(f"`{name}` is {value}; it must be a whole number", param=name)
    return taken


def _logit_bias(bias: dict[str, float] | None) -> dict[int, float]:
    try:
        return {int(token): value for token, value in (bias or {}).items()}
    except ValueError as error:
        raise RequestError("`logit_bias` maps token ids to numbers", param="logit_bias") from error
