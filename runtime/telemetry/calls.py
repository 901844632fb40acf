"""The calls of a provider, each as a span: a door before the provider begins it, and ends it with the answer. Of a
stream, when that is over.
"""

from __future__ import annotations

import importlib.util
import inspect
import logging
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from importlib import import_module
from typing import Any

from runtime.apis._api import Api
from runtime.apis._request import Registered
from runtime.sse import EventStream, Frames, Reply
from runtime.telemetry import conventions as names
from runtime.telemetry.bodies.told import Generated, with_bodies
from runtime.telemetry.found import Found
from runtime.telemetry.operation import Described, Streamed
from runtime.telemetry.spans import Attribute, Kind, Shape, Span, current_span, inside, reset_current, set_current
from runtime.wrapped import Wrapped

log = logging.getLogger(__name__)
Method = Callable[[Any], Any]
_now = time.perf_counter
_LAST_READS = 3
"""In which a stream says why it ended and what it used: in an event each, before `[DONE]`."""
_UNDESCRIBED = Described()
_UNTOLD = "a call is told without all that there is to tell"
_LONGEST_KEY = 2000
_SMALL_BYTES = 16 * 1024
"""Of an answer that may wait until its span is handed on."""


class _TooLong(Exception):
    """What a shape would be found by is more than is to be kept of so many."""


class _Telling:
    """What is told of a call can fail, and the call goes on."""

    __slots__ = ()

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        if not isinstance(error, Exception):
            return False
        log.error(_UNTOLD, exc_info=error)
        return True


_telling = _Telling()


class TracedCalls:
    """The calls of one provider. provider_type: as its spec has it. tells_bodies: whether what was said is told too."""

    def __init__(
        self, api: Api, provider_id: str, provider_type: str, *, is_remote: bool, tells_bodies: bool = False
    ) -> None:
        self._api = api
        self._facts: dict[str, Attribute] = {
            names.API: api.name,
            names.PROVIDER_ID: provider_id,
            names.PROVIDER_TYPE: provider_type,
        }
        self._kind: Kind = "client" if is_remote else "internal"
        described = _described(api.name)
        self._described = with_bodies(api.name, described) if tells_bodies else described

    def door(self, adapter: Any) -> Any:
        """The provider as others see it."""
        methods = {}
        for operation in self._api.operations():
            if not hasattr(adapter, operation.name) or operation.route.method in ("WS", "ANY"):
                continue
            is_awaited = inspect.iscoroutinefunction(getattr(self._api.protocol, operation.name))
            methods[operation.name] = (self._awaited if is_awaited else self._iterated)(operation.name, adapter)
        return Wrapped(adapter, methods)

    def _awaited(self, operation: str, adapter: Any) -> Method:
        described = self._described.get(operation, _UNDESCRIBED)
        begin = self._begun(operation)
        read: Callable[[EventStream, Span, Any], EventStream] = _TracedStream
        if isinstance(described, Generated):
            read = _HeardStream

        async def call(request: Any) -> Any:
            parent, method = current_span(), getattr(adapter, operation)
            if parent is None:
                return await method(request)
            span = begin(parent, request)
            token = set_current(span)
            try:
                answer = await method(request)
            except BaseException as error:
                span.fail(error)
                span.end()
                raise
            finally:
                reset_current(token)
            if type(answer) is Reply:  # which is most of them
                if len(answer.data) <= _SMALL_BYTES:
                    span.untold = *(span.untold or ()), answer
                    span.end()
                    return answer
            elif isinstance(answer, EventStream):
                return read(answer, span, described)
            elif isinstance(answer, AsyncGenerator):
                return _traced(answer, span)
            with _telling:
                span.tell()
                described.answer(span, answer)
            span.end()
            return answer

        return call

    def _iterated(self, operation: str, adapter: Any) -> Method:
        begin = self._begun(operation)

        def call(request: Any) -> Any:
            parent, method = current_span(), getattr(adapter, operation)
            if parent is None:
                return method(request)
            return _traced(method(request), begin(parent, request))

        return call

    def _begun(self, operation: str) -> Callable[[Span, Any], Span]:
        """What begins the span of a call, of the span that leads to it and the request."""
        described, provider_type = self._described.get(operation, _UNDESCRIBED), str(self._facts[names.PROVIDER_TYPE])
        facts = {**self._facts, names.API_OPERATION: operation, **described.facts(provider_type)}
        usual, kind = f"{self._api.name}.{operation}", self._kind

        def tell(
            span: Span, taken: Any, routed: tuple[Registered, str] | None, answer: Reply | Streamed | None = None
        ) -> None:
            if answer is not None and taken is not None and not span.error and has_shape(span, taken, routed, answer):
                return
            name, attributes = ("", {}) if taken is None else described.told(taken)
            if name:
                span.name = name
            span.own = attributes = facts | attributes | span.own
            if routed is not None:
                attributes |= _resource(routed[0].id, routed[1], routed[0].source)
            if isinstance(answer, Streamed):
                described.stream(span, *answer)
            elif answer is not None:
                described.answer(span, answer)

        def has_shape(span: Span, taken: Any, routed: tuple[Registered, str] | None, answer: Reply | Streamed) -> bool:
            if (read := described.read(answer)) is None:
                return False
            said, own = read
            resource = None if routed is None else (routed[0].id, routed[1], routed[0].source)
            try:
                shape = shapes[taken, resource, said]
            except (TypeError, _TooLong):  # there is a list in what was asked for
                return False
            span.name = shape.name
            span.own, span.shape = {**span.own, **own} if span.own else own, shape
            return True

        def alike(all_said: tuple[Any, tuple[str, str, str] | None, Any]) -> Shape:
            if len(repr(all_said)) > _LONGEST_KEY:
                raise _TooLong
            taken, resource, said = all_said
            name, attributes = described.told(taken)
            of_resource = {} if resource is None else _resource(*resource)
            return Shape(name or usual, {**facts, **attributes, **of_resource, **described.alike(said)})

        shapes, take = Found(alike), described.taken

        def begin(parent: Span, request: Any) -> Span:
            try:
                taken = take(request)
            except Exception as error:
                log.error(_UNTOLD, exc_info=error)
                taken = None
            untold = tell, taken, getattr(request, "routed", None)
            return Span(parent.trace, "", parent, usual, kind, {}, _now(), None, "", "", untold)

        return begin


class _TracedStream(EventStream):
    """A stream that belongs to a span. Not a generator: each one between a read and its client costs time."""

    __slots__ = ("_described", "_first_read", "_last", "_leads_on", "_span", "_stream")

    def __init__(self, stream: EventStream, span: Span, described: Described) -> None:
        self._stream = stream
        self._span = span
        self._described = described
        self._leads_on = described.leads_on
        self._first_read: Frames | None = None
        self._last: list[Frames] = []

    async def __anext__(self) -> Frames:
        try:
            if self._leads_on:
                with inside(self._span):
                    frames = await self._stream.__anext__()
            else:
                frames = await self._stream.__anext__()
        except StopAsyncIteration:
            self._end(None)
            raise
        except BaseException as error:
            self._end(error)
            raise
        if self._first_read is None:
            self._first_read = frames
            self._span.attributes[names.FIRST_CHUNK_S] = _now() - self._span.began
        last = self._last
        last.append(frames)
        if len(last) > _LAST_READS:
            del last[0]
        return frames

    async def aclose(self) -> None:
        try:
            with inside(self._span):
                await self._stream.aclose()
        finally:
            if self._span.ended is None:
                self._span.leave()
                self._end(None)

    def _end(self, error: BaseException | None) -> None:
        if self._span.ended is not None:  # it is read on after its end
            return
        if error is not None:
            self._span.fail(error)
        self._tell()
        self._span.end()

    def _tell(self) -> None:
        span, first = self._span, self._first_read
        if first is None:
            return
        size_bytes = len(first.data) + sum(len(one.data) for one in self._last)
        if span.untold is not None and size_bytes <= _SMALL_BYTES:
            span.untold = *span.untold, Streamed(first, self._last)
            return
        with _telling:
            span.tell()
            self._described.stream(span, first, self._last)


class _HeardStream(_TracedStream):
    """One whose answer is put together while it is read."""

    __slots__ = ("_generated", "_heard")

    def __init__(self, stream: EventStream, span: Span, described: Generated) -> None:
        super().__init__(stream, span, described)
        self._generated, self._heard = described, described.listener()

    async def __anext__(self) -> Frames:
        frames = await super().__anext__()
        self._heard.add(frames.data)
        return frames

    def _tell(self) -> None:
        with _telling:
            self._span.tell()
            self._generated.heard(self._span, self._heard)
        super()._tell()


def _resource(id: str, asked_for: str, source: str) -> dict[str, Attribute]:
    told: dict[str, Attribute] = {names.RESOURCE_ID: id, names.ASKED_FOR: asked_for}
    return told if source == "listed" else {**told, names.RESOURCE_SOURCE: source}


async def _traced(events: AsyncGenerator[Any, None], span: Span) -> AsyncGenerator[Any, None]:
    """A stream of models that belongs to a span. What it leads to is begun while it is read."""
    is_first = True
    try:
        while True:
            with inside(span):
                event = await anext(events)
            if is_first:
                is_first = False
                span.attributes[names.FIRST_CHUNK_S] = _now() - span.began
            yield event
    except StopAsyncIteration:
        pass
    except BaseException as error:
        span.fail(error)
        raise
    finally:
        try:
            with inside(span):
                await events.aclose()
        finally:
            span.end()


def _described(api: str) -> Mapping[str, Described]:
    """`DESCRIBED` of `runtime/telemetry/described/<api>.py`, if there is more to tell of an API's calls."""
    module = f"runtime.telemetry.described.{api}"
    found: Mapping[str, Described] = import_module(module).DESCRIBED if importlib.util.find_spec(module) else {}
    return found
