"""Transports of httpx and httpx2 that ask a stack in this process, for callers with and without an event loop.

Both bodies are passed on as they come. The errors are the library's own, so that a client over it raises what it does
over a network.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import cache
from types import ModuleType
from typing import Any, Protocol

from runtime.client.exchange import Asked, Start
from runtime.client.program_span import with_span_of_program
from runtime.client.reading import Broken, LoopReading, ThreadReading
from runtime.errors import StackError


class SyncStack(Protocol):
    """What answers callers without an event loop. Both methods raise as those of `runtime.client.sync_stack` do."""

    def begin(self, asked: Asked, parts: Iterator[bytes] | None = None) -> ThreadReading: ...

    def leave(self, reading: ThreadReading) -> None: ...


class AsyncStack(Protocol):
    """What answers callers on its own event loop."""

    async def begin(self, asked: Asked) -> LoopReading: ...


def sync_transport(library: ModuleType, stack: SyncStack) -> Any:
    """For `Client(transport=...)`."""
    return _sync_of(library)(stack)


def async_transport(library: ModuleType, stack: AsyncStack) -> Any:
    """For `AsyncClient(transport=...)`."""
    return _async_of(library)(stack)


@cache
def _sync_of(library: ModuleType) -> Any:
    class Transport(library.BaseTransport):  # type: ignore[misc,name-defined]  # a module that is known when called
        def __init__(self, stack: SyncStack) -> None:
            self._stack = stack

        def handle_request(self, request: Any) -> Any:
            _refuse_upgrade(library, request)
            is_whole = isinstance(request.stream, library.ByteStream)
            asked = _asked(request, b"".join(request.stream) if is_whole else b"")
            timeout_s = _timeout_s(request)
            try:
                reading = self._stack.begin(asked, None if is_whole else iter(request.stream))
            except StackError as error:
                raise library.ConnectError(error.words, request=request) from error
            try:
                start = reading.next(timeout_s)
            except BaseException as error:
                self._stack.leave(reading)
                if (theirs := _their_error(library, error, request, timeout_s)) is not None:
                    raise theirs from error.__cause__ or error
                raise
            return _response(library, start, Body(self._stack, reading, request, timeout_s))

    class Body(library.SyncByteStream):  # type: ignore[misc,name-defined]
        """An answer's body as it comes."""

        def __init__(self, stack: SyncStack, reading: ThreadReading, request: Any, timeout_s: float | None) -> None:
            self._stack = stack
            self._reading = reading
            self._request = request
            self._timeout_s = timeout_s
            self._is_over = False

        def __iter__(self) -> Iterator[bytes]:
            try:
                while (data := self._reading.next(self._timeout_s)) is not None:
                    yield data  # type: ignore[misc]  # the start has been read
                self._is_over = True
            except (TimeoutError, Broken) as error:
                theirs = _their_error(library, error, self._request, self._timeout_s)
                raise theirs from error.__cause__ or error  # type: ignore[misc]  # it is known

        def close(self) -> None:
            if not self._is_over:
                self._is_over = True
                self._stack.leave(self._reading)

        __del__ = close

    return Transport


@cache
def _async_of(library: ModuleType) -> Any:
    class Transport(library.AsyncBaseTransport):  # type: ignore[misc,name-defined]  # a module that is known when called
        def __init__(self, stack: AsyncStack) -> None:
            self._stack = stack

        async def handle_async_request(self, request: Any) -> Any:
            _refuse_upgrade(library, request)
            stream = request.stream
            is_whole = isinstance(stream, library.ByteStream)
            body = b"".join([part async for part in stream]) if is_whole else aiter(stream)
            timeout_s = _timeout_s(request)
            try:
                reading = await self._stack.begin(_asked(request, body))
            except StackError as error:
                raise library.ConnectError(error.words, request=request) from error
            try:
                start = await reading.next(timeout_s)
            except BaseException as error:
                await _leave(reading)
                if (theirs := _their_error(library, error, request, timeout_s)) is not None:
                    raise theirs from error.__cause__ or error
                raise
            return _response(library, start, Body(self._stack, reading, request, timeout_s))

    class Body(library.AsyncByteStream):  # type: ignore[misc,name-defined]
        """An answer's body as it comes."""

        def __init__(self, stack: AsyncStack, reading: LoopReading, request: Any, timeout_s: float | None) -> None:
            self._stack = stack  # which stays open while somebody reads
            self._reading = reading
            self._request = request
            self._timeout_s = timeout_s
            self._is_over = False

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                while (data := await self._reading.next(self._timeout_s)) is not None:
                    yield data  # type: ignore[misc]  # the start has been read
                self._is_over = True
            except (TimeoutError, Broken) as error:
                theirs = _their_error(library, error, self._request, self._timeout_s)
                raise theirs from error.__cause__ or error  # type: ignore[misc]  # it is known

        async def aclose(self) -> None:
            if not self._is_over:
                self._is_over = True
                await _leave(self._reading)

        def __del__(self) -> None:
            if not self._is_over and self._reading.exchange is not None:
                self._reading.exchange.leave_soon()

    return Transport


async def _leave(reading: LoopReading) -> None:
    if reading.exchange is not None:
        await reading.exchange.leave()


def _refuse_upgrade(library: ModuleType, request: Any) -> None:
    """Raises the library's own error for what is no request with an answer, such as the beginning of a WebSocket."""
    if protocol := request.headers.get("upgrade"):
        raise library.UnsupportedProtocol(
            f"a stack in this process has no socket that could become a {protocol}: run a server, and connect to that",
            request=request,
        )


def _asked(request: Any, body: bytes | AsyncIterator[bytes]) -> Asked:
    headers = with_span_of_program(request.headers.raw)
    return Asked(method=request.method, target=request.url.raw_path, headers=headers, body=body)


def _timeout_s(request: Any) -> float | None:
    """How long the stack may be silent."""
    timeout: float | None = request.extensions.get("timeout", {}).get("read")
    return timeout


def _response(library: ModuleType, start: Any, body: Any) -> Any:
    assert isinstance(start, Start), "an answer begins with its status"
    return library.Response(start.status, headers=list(start.headers), stream=body)


def _their_error(library: ModuleType, error: BaseException, request: Any, timeout_s: float | None) -> Exception | None:
    """The library's own error for one of ours; None for what is the caller's."""
    made: Exception | None = None
    if isinstance(error, TimeoutError):
        made = library.ReadTimeout(f"the stack said nothing for {timeout_s:g} s", request=request)
    elif isinstance(error, Broken):
        cause = error.__cause__
        why = cause.words if isinstance(cause, StackError) else type(cause).__name__ if cause else "nothing was raised"
        made = library.RemoteProtocolError(f"{error}: {why}", request=request)
    return made
