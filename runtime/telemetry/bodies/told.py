"""Calls that tell what was said, beside what is told of them anyway."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from runtime.sse import Frames, Json, encode
from runtime.telemetry import conventions as names
from runtime.telemetry.bodies import chats, items, parts, texts
from runtime.telemetry.bodies.room import Room
from runtime.telemetry.operation import Described
from runtime.telemetry.spans import Attribute, Span


class WithBodies(Described):
    """described: tells everything else."""

    def __init__(self, described: Described) -> None:
        self._described = described
        self.leads_on = described.leads_on

    def facts(self, provider_type: str) -> dict[str, Attribute]:
        return self._described.facts(provider_type)

    def answer(self, span: Span, answer: Any) -> None:
        self._described.answer(span, answer)

    def stream(self, span: Span, first: Frames, last: Iterable[Frames]) -> None:
        self._described.stream(span, first, last)


class Heard(Protocol):
    """A stream as far as it was heard."""

    def add(self, data: bytes) -> None:
        """The next events."""
        ...

    def answer(self) -> Json:
        """The answer as if it had not been streamed."""
        ...


class Generated(WithBodies, ABC):
    """What a model says, in answers that are put together while they are streamed."""

    @abstractmethod
    def listener(self) -> Heard:
        """What puts one together."""

    @abstractmethod
    def heard(self, span: Span, heard: Heard) -> None:
        """What came of a stream, which may have been left."""


class Chat(Generated):
    """A chat completion."""

    def request(self, request: Any) -> tuple[str, dict[str, Attribute]]:
        name, attributes = self._described.request(request)
        _put(attributes, names.INPUT, chats.asked(request), chats.message)
        return name, attributes

    def answer(self, span: Span, answer: Any) -> None:
        super().answer(span, answer)
        _put(span.attributes, names.OUTPUT, _said(chats.answered, answer), chats.choice)

    def listener(self) -> Heard:
        return chats.Heard()

    def heard(self, span: Span, heard: Heard) -> None:
        _put(span.attributes, names.OUTPUT, _said(chats.answered, heard.answer()), chats.choice)


class Text(Generated):
    """A completion of texts."""

    def request(self, request: Any) -> tuple[str, dict[str, Attribute]]:
        name, attributes = self._described.request(request)
        _put(attributes, names.INPUT, texts.asked(request), texts.prompt)
        return name, attributes

    def answer(self, span: Span, answer: Any) -> None:
        super().answer(span, answer)
        _put(span.attributes, names.OUTPUT, _said(texts.answered, answer), texts.choice)

    def listener(self) -> Heard:
        return texts.HeardTexts()

    def heard(self, span: Span, heard: Heard) -> None:
        _put(span.attributes, names.OUTPUT, _said(texts.answered, heard.answer()), texts.choice)


class Response(WithBodies):
    """A response."""

    def request(self, request: Any) -> tuple[str, dict[str, Attribute]]:
        name, attributes = self._described.request(request)
        if request.instructions:
            _put(attributes, names.INSTRUCTIONS, [request.instructions], parts.text)
        _put(attributes, names.INPUT, items.asked(request), items.item)
        return name, attributes

    def answer(self, span: Span, answer: Any) -> None:
        super().answer(span, answer)
        _put(span.attributes, names.OUTPUT, _said(items.answered, answer), items.item)

    def stream(self, span: Span, first: Frames, last: Iterable[Frames]) -> None:
        super().stream(span, first, last)
        _put(span.attributes, names.OUTPUT, _said(items.answered, items.last(last)), items.item)


_TELLING: Mapping[tuple[str, str], type[WithBodies]] = {
    ("inference", "chat_completion"): Chat,
    ("inference", "completion"): Text,
    ("responses", "create_response"): Response,
}


def with_bodies(api: str, described: Mapping[str, Described]) -> dict[str, Described]:
    """What is told of an API's operations, and what was said where there is a form for it."""
    return {name: _TELLING.get((api, name), lambda same: same)(one) for name, one in described.items()}


def _put(attributes: dict[str, Attribute], name: str, said: Sequence[Any], form: Callable[[Any, Room], Json]) -> None:
    """Put messages under a name: the latest ones, where they are too long; then `llama_stack.cut` names it. form:
    makes what the conventions have of one.
    """
    room, found = Room(), list[Json]()
    for one in reversed(said):
        if not room.begin():
            break
        try:
            found.append(form(one, room))
        except (AttributeError, TypeError, ValueError, RecursionError):  # what a vendor says may be anything
            room.is_cut = True
    if found:
        attributes[name] = encode(found[::-1]).decode()
    if room.is_cut:
        cut = attributes.get(names.CUT)
        attributes[names.CUT] = [*cut, name] if isinstance(cut, list) else [name]


def _said(read: Callable[[Any], list[Any]], answer: Any) -> list[Any]:
    try:
        return read(answer)
    except (AttributeError, TypeError, ValueError):
        return []
