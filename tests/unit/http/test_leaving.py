"""A client that leaves, at each point of its request: its call upstream ends before the server is done with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from runtime.conformance.asgi import LIMIT_S, Call
from runtime.conformance.stacks import Served, adapter_of, run_config
from runtime.conformance.upstream import Upstream, refusal
from runtime.http.live.transport import LiveTransport
from tests.support.stacks import openai_at, serving


def asking(served: Served) -> Call:
    body = {"model": "vendor/small-chat", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    headers = {"content-type": "application/json"}
    return served.client.call("POST", "/v1/chat/completions", body=json.dumps(body).encode(), headers=headers)


async def ended(upstream: Upstream) -> None:
    async with asyncio.timeout(LIMIT_S):
        await upstream.ended_early.wait()


async def test_before_the_answer(upstream: Upstream, tmp_path: Path) -> None:
    arrived = asyncio.Event()

    async def never(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        upstream.misbehaves = never
        call = asking(served)
        await arrived.wait()
        await call.leave()
        await ended(upstream)


async def test_between_two_events(upstream: Upstream, tmp_path: Path) -> None:
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        upstream.gate.clear()
        call = asking(served)
        await call.start()
        await upstream.waiting_at_gate.wait()
        await call.leave()
        await ended(upstream)


async def test_while_it_waits_for_a_connection(upstream: Upstream, tmp_path: Path) -> None:
    """Nothing is sent for it, and its place is free for the next one."""
    run = run_config(openai_at(upstream.url, network={"limits": {"max_connections": 1}}))
    async with serving(run, tmp_path) as served:
        upstream.gate.clear()
        holding = asking(served)
        await upstream.waiting_at_gate.wait()
        waiting = asking(served)
        transport = adapter_of(served.stack, "inference")._http.connections.transport
        async with asyncio.timeout(LIMIT_S):
            while not is_waited_for(transport):
                await asyncio.sleep(0)
        await waiting.leave()
        assert not is_waited_for(transport)
        upstream.gate.set()
        await holding.start()
        assert (await holding.rest()).endswith(b"[DONE]\n\n")
        next_one = asking(served)
        await next_one.start()
        assert (await next_one.rest()).endswith(b"[DONE]\n\n")
    assert len(upstream.calls("/chat/completions")) == 2


def is_waited_for(transport: LiveTransport) -> bool:
    """Whether a call waits for a connection of this transport."""
    session = transport._sessions.current
    assert session is not None and session.connector is not None
    return any(session.connector._waiters.values())


async def test_while_it_waits_to_be_sent_again(
    upstream: Upstream, tmp_path: Path, on_wait: Callable[[Callable[[], object]], None]
) -> None:
    waits = asyncio.Event()
    on_wait(waits.set)
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:

        async def refuses(_: web.Request) -> web.StreamResponse:
            return refusal(429, "later", headers={"retry-after": "4"})

        upstream.misbehaves = refuses
        call = asking(served)
        async with asyncio.timeout(3):  # less than the wait
            await waits.wait()
            await call.leave()
    assert len(upstream.calls("/chat/completions")) == 1
