"""Calls of models: what was asked for, what has answered, and how many tokens that took.

A stream says what it took only where `stream_options.include_usage` was asked for. Our own engine notes it without
being asked, see `providers/inference/meta_reference/steps.py`. Of a vendor it is not asked for in the caller's place:
what the caller has not asked for would have to be taken out of the stream again, of which no byte is looked at on its
way, and some vendors refuse the field.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from operator import itemgetter
from typing import Any

import msgspec

from runtime.apis.inference.counted import Usage
from runtime.sse import Frames, Reply, payloads
from runtime.telemetry import conventions as names
from runtime.telemetry.found import Found
from runtime.telemetry.operation import Described, Streamed, bounded
from runtime.telemetry.spans import Attribute, Span

_OF_REQUEST = {
    "temperature": names.TEMPERATURE,
    "top_p": names.TOP_P,
    "top_k": names.TOP_K,
    "frequency_penalty": names.FREQUENCY_PENALTY,
    "presence_penalty": names.PRESENCE_PENALTY,
    "seed": names.SEED,
}
"""Numbers."""
_TAKEN = ("model", "stream", "max_tokens", "max_completion_tokens", "n", "stop", *_OF_REQUEST)
_NUMBERS = (int, float)
_MOST_STOPS, _LONGEST_STOP = 8, 100
"""How many sequences that end an answer are told, and how much of each; OpenAI takes four."""
_LAST_EVENTS = 8
"""In which a stream says why each of its choices has ended, and what all of it took."""


class _Choice(msgspec.Struct):
    finish_reason: str | None = None


class _Said(msgspec.Struct):
    """What is looked for in an answer or in an event of a stream; whatever else it has is passed over."""

    id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    usage: Usage | None = None
    choices: list[_Choice] = []


_said = msgspec.json.Decoder(_Said).decode


def _getter(kind: Any) -> tuple[tuple[str, ...], Callable[[dict[str, Any]], tuple[Any, ...]]]:
    """Of a kind of request, those of `_TAKEN` that it has, and what takes their values of its fields in one step."""
    fields = tuple(field for field in _TAKEN if field in kind.model_fields)
    return fields, itemgetter(*fields)


_getters = Found(_getter)


class _OfModel(Described):
    """A call of a model. What it leads to has begun when it answers."""

    leads_on = False

    def facts(self, provider_type: str) -> dict[str, Attribute]:
        return {names.PROVIDER: names.provider_name(provider_type)}


class Generation(_OfModel):
    """Chats and completions. operation: as the conventions call it."""

    def __init__(self, operation: str) -> None:
        self._operation = operation

    def taken(self, request: Any) -> Any:
        # Not by `getattr`: what a model of pydantic does not have costs as much as all the rest.
        kind = type(request)
        return kind, _getters[kind][1](request.__dict__), request.__pydantic_extra__ or None

    def told(self, taken: Any) -> tuple[str, dict[str, Attribute]]:
        kind, values, extra = taken
        given: dict[str, Any] = {**(extra or {}), **dict(zip(_getters[kind][0], values, strict=True))}
        model: str = given["model"]
        attributes: dict[str, Attribute] = {names.OPERATION: self._operation, names.REQUEST_MODEL: model}
        if given["stream"]:
            attributes[names.STREAM] = True
        for field, name in _OF_REQUEST.items():
            value = given.get(field)
            if value is not None and type(value) in _NUMBERS:
                attributes[name] = value
        limit = given.get("max_completion_tokens") or given["max_tokens"]
        if type(limit) is int:
            attributes[names.MAX_TOKENS] = limit
        if type(choices := given["n"]) is int and choices != 1:
            attributes[names.CHOICES] = choices
        if (stop := given["stop"]) is not None:
            several = [stop] if isinstance(stop, str) else stop[:_MOST_STOPS]
            attributes[names.STOP] = [str(one)[:_LONGEST_STOP] for one in several]
        return f"{self._operation} {model}", attributes

    def request(self, request: Any) -> tuple[str, dict[str, Attribute]]:
        return self.told(self.taken(request))

    def answer(self, span: Span, answer: Any) -> None:
        if isinstance(answer, Reply):
            _note(span, [answer.data])

    def stream(self, span: Span, first: Frames, last: Iterable[Frames]) -> None:
        _note(span, _said_in(first, last))

    def read(self, answer: Reply | Streamed) -> tuple[Hashable, dict[str, Attribute]]:
        return _read([answer.data] if isinstance(answer, Reply) else _said_in(*answer))

    def alike(self, said: Any) -> dict[str, Attribute]:
        return _alike(*said)


class Embedding(_OfModel):
    """Vectors of texts."""

    def request(self, request: Any) -> tuple[str, dict[str, Attribute]]:
        attributes: dict[str, Attribute] = {names.OPERATION: "embeddings", names.REQUEST_MODEL: request.model}
        if request.encoding_format:
            attributes[names.ENCODING_FORMATS] = [request.encoding_format]
        if isinstance(request.dimensions, int):
            attributes[names.DIMENSIONS] = request.dimensions
        return f"embeddings {request.model}", attributes

    def answer(self, span: Span, answer: Any) -> None:
        if isinstance(answer, Reply):
            _note(span, [answer.data], has_output=False)


class Reranking(Embedding):
    """Texts in the order of what they have to do with another."""

    def request(self, request: Any) -> tuple[str, dict[str, Attribute]]:
        return f"rerank {request.model}", {names.OPERATION: "rerank", names.REQUEST_MODEL: request.model}


def _note(span: Span, documents: Iterable[bytes], *, has_output: bool = True) -> None:
    said, own = _read(documents, has_output=has_output)
    span.own |= _alike(*said) | own


def _said_in(first: Frames, last: Iterable[Frames]) -> list[bytes]:
    """The documents of a stream that say more than its text: a read may have hundreds of events."""
    ending = b"".join(frames.data for frames in last).split(b"\n\n")[-_LAST_EVENTS:]
    events = dict.fromkeys((first.data.partition(b"\n\n")[0], *ending))
    return [said for event in events for said in payloads(event) if said.startswith(b"{")]


def _read(documents: Iterable[bytes], *, has_output: bool = True) -> tuple[tuple[Any, ...], dict[str, Attribute]]:
    """What some documents say together, the later ones before the earlier ones: as `_alike` takes it, and the rest."""
    own: dict[str, Attribute] = {}
    model = tier = None
    reasons: list[str] = []
    for document in documents:
        try:
            said = _said(document)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        if said.id:
            own[names.RESPONSE_ID] = bounded(said.id)
        model, tier = said.model or model, said.service_tier or tier
        reasons += [one.finish_reason for one in said.choices if one.finish_reason]
        if said.usage is not None:
            note_usage(own, said.usage, has_output=has_output)
    return (model, tier, *reasons), own


def _alike(model: str | None, tier: str | None, *reasons: str) -> dict[str, Attribute]:
    attributes: dict[str, Attribute] = {}
    if model:
        attributes[names.RESPONSE_MODEL] = bounded(model)
    if tier:
        attributes[names.SERVICE_TIER] = bounded(tier)
    if reasons:
        attributes[names.FINISH_REASONS] = [*reasons]
    return attributes


def note_usage(attributes: dict[str, Attribute], usage: Usage, *, has_output: bool = True) -> None:
    """Note how many tokens an answer took."""
    asked, cached, answered, reasoning = usage.counted
    if asked is None and not has_output:
        asked = usage.total_tokens
    if asked is not None:
        attributes[names.INPUT_TOKENS] = asked
    if cached is not None:
        attributes[names.CACHE_READ_TOKENS] = cached
    if answered is not None and has_output:
        attributes[names.OUTPUT_TOKENS] = answered
    if reasoning is not None:
        attributes[names.REASONING_TOKENS] = reasoning
    read, written = usage.read, usage.written
    if read.cache_write_tokens:
        attributes[names.CACHE_WRITE_TOKENS] = read.cache_write_tokens
    if read.audio_tokens:
        attributes[names.AUDIO_IN] = read.audio_tokens
    if written.audio_tokens:
        attributes[names.AUDIO_OUT] = written.audio_tokens


DESCRIBED: Mapping[str, Described] = {
    "chat_completion": Generation("chat"),
    "completion": Generation("text_completion"),
    "embeddings": Embedding(),
    "rerank": Reranking(),
}
