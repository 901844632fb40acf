"""Faults of calls to other servers: what stands between a provider's request and its server fails as that would.

It stands before whatever records or replays, so that a fault is never recorded, and happens to replays too. A request
that is sent again is drawn for again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import partial

from runtime.errors import UpstreamError, UpstreamUnreachable
from runtime.faults.broken import Broken, cut, is_json, is_stream, spoilt
from runtime.faults.injection import Attempt, ProviderFaults
from runtime.faults.parsing import Fault
from runtime.faults.refusal import INJECTED, WORDS, refusal_body, refusal_headers
from runtime.http.phases import timeout_error
from runtime.http.refusals import Call
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Exchange, GoOn, Outgoing, close_parts, media_type


class FaultyUpstream:
    """Implements `Between` for one provider."""

    def __init__(self, faults: ProviderFaults) -> None:
        self._faults = faults

    async def __call__(self, request: Outgoing, go_on: GoOn) -> Exchange:
        attempt = None
        call = Call(self._faults.provider_id, request, shows_paths=False)
        try:
            if self._faults.is_down():
                raise call.unreachable(WORDS)
            attempt = self._faults.attempt(partial(_asked, request))
            refusal = None if attempt is None else await _before(attempt, call, request.timeouts or Timeouts())
        except BaseException:
            await close_parts(request.body)
            raise
        if refusal is not None:
            await close_parts(request.body)
            return refusal
        exchange = await go_on(request)
        return exchange if attempt is None else _spoilt(exchange, attempt, call)


def _asked(request: Outgoing) -> bytes:
    """What a request asks, without where and with which key."""
    path = request.url.partition("://")[2].partition("/")[2]
    body = request.body if isinstance(request.body, bytes) else b""
    return b"%b %b\n%b" % (request.method.encode(), path.encode(errors="replace"), body)


def was_injected(failure: UpstreamError) -> bool:
    """Whether a failure of a server that nobody has asked for real was injected: recordings have the refusals of
    servers, and nothing of those that were not reached.
    """
    return isinstance(failure, UpstreamUnreachable) or INJECTED in failure.more


class _Refusal:
    """An answer that no server has given; implements `Exchange`."""

    proxy = ""

    def __init__(self, fault: Fault) -> None:
        self.status = fault.status
        self.headers: Mapping[str, str] = refusal_headers(fault)
        self._body = refusal_body(fault)

    async def read(self) -> bytes:
        return self._body

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self._body

    async def close(self) -> None:
        """Nothing is held."""


async def _before(attempt: Attempt, call: Call, timeouts: Timeouts) -> Exchange | None:
    """Wait, and what comes in place of an answer; None for nothing. Raises UpstreamError."""
    if attempt.wait is not None:
        attempt.tell(attempt.wait)
        await _wait(attempt.wait.seconds or 0.0, call, timeouts)
    fault = attempt.failure
    if fault is None:
        return None
    attempt.tell(fault)
    if fault.kind == "unreachable":
        raise call.unreachable(WORDS)
    if fault.kind == "timeout":
        raise _told(timeout_error(call, "first_byte", timeouts))
    return _Refusal(fault)


async def _wait(seconds: float, call: Call, timeouts: Timeouts) -> None:
    """Raises UpstreamTimeout after as long as the provider waits for an answer, if that is less."""
    first_byte_s = timeouts.first_byte_s or timeouts.read_s
    limit_s = first_byte_s if timeouts.total_s is None else min(first_byte_s, timeouts.total_s)
    await asyncio.sleep(min(seconds, limit_s))
    if seconds >= limit_s:
        raise _told(timeout_error(call, "first_byte" if limit_s == first_byte_s else "total", timeouts))


def _spoilt(exchange: Exchange, attempt: Attempt, call: Call) -> Exchange:
    kind = media_type(exchange.headers)
    if exchange.status >= 300 or not (is_stream(kind) or is_json(kind)):
        return exchange
    fault = attempt.spoils(is_stream=is_stream(kind))
    if fault is None:
        return exchange
    attempt.tell(fault)
    if fault.kind == "bad-json":
        return Broken(exchange, spoilt(kind))
    return Broken(exchange, cut(attempt.events, kind, lambda: _told(call.broke_off())))


def _told(error: UpstreamError) -> UpstreamError:
    """An error that says that it was injected."""
    error.message += f": {WORDS}"
    return error
