"""Faults of providers that are asked by calling them: those that compute in this process, and those that reach their
service by a driver of its own. A door before such a provider fails as it would.

What is not reached is `Unavailable`, as with every provider that is down; the rest has the errors of a server.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from functools import partial
from typing import Any

from pydantic import BaseModel

from runtime.apis._api import Operation
from runtime.apis._request import Request
from runtime.context import current
from runtime.errors import StackError, Unavailable, UpstreamError, UpstreamTimeout
from runtime.faults.injection import ProviderFaults
from runtime.faults.parsing import Fault
from runtime.faults.refusal import WORDS, refusal_body, refusal_headers
from runtime.http.refusals import Call
from runtime.http.transport import Outgoing
from runtime.http.vendor_errors import vendor_error
from runtime.sse import End, EventStream, Frames, Reply, payloads
from runtime.wrapped import Wrapped

Method = Callable[[Any], Any]


class FaultyCalls:
    """The calls of one provider. protocol: its API's, with these operations."""

    def __init__(self, faults: ProviderFaults, protocol: type, operations: Iterable[Operation]) -> None:
        self._faults = faults
        self._called = f"`{faults.provider_id}`"
        self._names = [
            one.name
            for one in operations
            if one.route.method not in ("WS", "ANY") and inspect.iscoroutinefunction(getattr(protocol, one.name))
        ]

    def door(self, adapter: Any) -> Any:
        """The provider as others see it."""
        had = {name: getattr(adapter, name, None) for name in self._names}
        return Wrapped(
            adapter, {name: self._faulty(name, method) for name, method in had.items() if method is not None}
        )

    def outage(self) -> StackError | None:
        """Why it cannot be asked at all; None while it can."""
        return self._down() if self._faults.is_down() else None

    def _faulty(self, name: str, method: Method) -> Method:
        async def call(request: Any) -> Any:
            if self._faults.is_down():
                raise self._down()
            attempt = self._faults.attempt(partial(_asked, name, request))
            if attempt is None:
                return await method(request)
            if attempt.wait is not None:
                attempt.tell(attempt.wait)
                with current().timing:
                    await asyncio.sleep(attempt.wait.seconds or 0.0)
            if attempt.failure is not None:
                attempt.tell(attempt.failure)
                raise self._instead(attempt.failure)
            answer = await method(request)
            is_stream = isinstance(answer, EventStream | AsyncGenerator)
            fault = attempt.spoils(is_stream=is_stream) if is_stream or isinstance(answer, Reply | BaseModel) else None
            if fault is None:
                return answer
            attempt.tell(fault)
            if not is_stream:
                raise self._failed("answered with no JSON")
            end = _End(attempt.events if fault.kind == "cut-stream" else 1, self._end_of(fault))
            return answer.through(end) if isinstance(answer, EventStream) else end.of(answer)

        return call

    def _down(self) -> Unavailable:
        return Unavailable(f"{self._called} cannot be reached: {WORDS}", code="provider_unavailable")

    def _instead(self, fault: Fault) -> StackError:
        if fault.kind == "unreachable":
            return self._down()
        if fault.kind == "timeout":
            return UpstreamTimeout(
                f"{self._called} did not answer in time: {WORDS}", provider_id=self._faults.provider_id
            )
        body = refusal_body(fault)
        call = Call(self._faults.provider_id, Outgoing(method="POST", url=""))
        return call.status_error(fault.status, vendor_error(body), body=body, headers=refusal_headers(fault))

    def _end_of(self, fault: Fault) -> UpstreamError:
        if fault.kind == "bad-json":
            return self._failed("sent an event that is not JSON")
        return self._failed("broke off its answer before it was complete", code="upstream_incomplete")

    def _failed(self, what: str, **fields: Any) -> UpstreamError:
        return UpstreamError(f"{self._called} {what}: {WORDS}", provider_id=self._faults.provider_id, **fields)


def _asked(name: str, request: Any) -> bytes:
    """What a call asks; it may hold what JSON does not have, and characters that UTF-8 does not have."""
    return f"{name} {request.wire() if isinstance(request, Request) else None!r}".encode(errors="backslashreplace")


class _End:
    """Ends a stream after some events at most, with an error; implements `Stage`."""

    def __init__(self, events: int, error: UpstreamError) -> None:
        self._left = events
        self._error = error

    async def read(self, frames: Frames) -> Frames | None:
        if self._left <= 0:
            raise self._error
        passed = []
        for event in frames.data.split(b"\n\n"):
            is_counted = any(payloads(event))
            if is_counted and not self._left:
                break
            self._left -= is_counted
            passed.append(event)
        return Frames(b"\n\n".join(filter(None, passed)) + b"\n\n") if any(passed) else None

    async def ended(self, how: End, error: BaseException | None) -> Frames | None:
        if how == "complete":
            raise self._error
        return None

    async def of(self, events: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
        """The same of a stream of models."""
        async with aclosing(events):
            async for event in events:
                if not self._left:
                    break
                self._left -= 1
                yield event
        raise self._error
