"""Calls that tell what was said, beside what is told of them anyway."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from runtime.sse import Frames, Json, Reply, encode
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


@dataclass(frozen=True, kw_only=True)
class Form:
    """How one kind of generation is told. asked: the messages of a request; message, choice: what the conventions have
    of one of these, and of a choice of an answer. listener: what puts together an answer that is streamed.
    """

    asked: Callable[[Any], list[Any]]
    message: Callable[[Any, Room], Json]
    choice: Callable[[Any, Room], Json]
    listener: Callable[[], Heard]


class Generated(WithBodies):
    """What a model says."""

    def __init__(self, described: Described, form: Form) -> None:
        super().__init__(described)
        self._form = form
        self.listener = form.listener

    def request(self, request: Any) -> tuple[str, dict[str, Attribute]]:
        name, attributes = self._described.request(request)
        _put(attributes, names.INPUT, self._form.asked(request), self._form.message)
        return name, attributes

    def answer(self, span: Span, answer: Any) -> None:
        super().answer(span, answer)
        _put(span.attributes, names.OUTPUT, _said(_choices, answer), self._form.choice)

    def heard(self, span: Span, heard: Heard) -> None:
        """What came of a stream, which may have been left."""
        _put(span.attributes, names.OUTPUT, _said(_choices, heard.answer()), self._form.choice)


_CHATS = Form(asked=chats.asked, message=chats.message, choice=chats.choice, listener=chats.Heard)
_TEXTS = Form(asked=texts.asked, message=texts.prompt, choice=texts.choice, listener=texts.Heard)


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


_TELLING: Mapping[tuple[str, str], Callable[[Described], WithBodies]] = {
    ("inference", "chat_completion"): partial(Generated, form=_CHATS),
    ("inference", "completion"): partial(Generated, form=_TEXTS),
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


def _choices(answer: Any) -> list[Any]:
    document = answer.value() if isinstance(answer, Reply) else answer
    choices: list[Any] = document.get("choices") or []
    return choices


def _said(read: Callable[[Any], list[Any]], answer: Any) -> list[Any]:
    try:
        return read(answer)
    except (AttributeError, TypeError, ValueError):
        return []
