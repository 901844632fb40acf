"""Our server, stopped by force in the middle of a stream: whoever reads it is told, and no `[DONE]` says otherwise."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from runtime.conformance.upstream import CHAT_MODEL, Upstream, upstream_server
from tests.support.server_process import server_process
from tests.support.stacks import openai_at

pytestmark = pytest.mark.e2e


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with upstream_server() as running:
        running.gate.clear()
        yield running


@pytest.mark.parametrize("how", ["second signal", "drain timeout", "parent gone"])
async def test_a_stream_that_is_cut_short_ends_with_an_error(tmp_path: Path, upstream: Upstream, how: str) -> None:
    run = {"version": 2, "distro_name": "test", "providers": {"inference": [openai_at(upstream.url)]}}
    ours, theirs = os.pipe()
    timeout = "60" if how == "second signal" else "1"
    options = ("--drain-timeout", timeout, "--parent-fd", str(ours))
    async with server_process(run, tmp_path, *options, pass_fds=[ours]) as server, aiohttp.ClientSession() as session:
        os.close(ours)
        await server.until("serving")
        body = {"model": CHAT_MODEL, "messages": [{"role": "user", "content": "hi"}], "stream": True}
        async with session.post(f"{server.url}/v1/chat/completions", json=body) as answer:
            assert await answer.content.readline()
            if how == "parent gone":
                os.close(theirs)
            else:
                server.signal(signal.SIGINT)
            await server.until("draining")
            if how == "second signal":
                server.signal(signal.SIGTERM)
            rest = await answer.content.read()
        last = rest.strip().rpartition(b"data: ")[2]
        assert "stopping" in json.loads(last)["error"]["message"] and b"[DONE]" not in rest
        assert await server.ended() == (130 if how == "second signal" else 0)
    if how != "parent gone":
        os.close(theirs)
