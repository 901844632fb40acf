"""Many streams over real connections, most of whose clients leave: nothing of them stays."""

from __future__ import annotations

import asyncio
import gc
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import upstream_server
from tests.support.listing import until
from tests.support.raw_http import listening
from tests.support.stacks import openai_at

_STREAMS, _TOGETHER = 500, 25
_LIMIT_S = 60.0
_NO_IDLE_CONNECTIONS = {"limits": {"max_keepalive_connections": 0}}
_CHAT = {"messages": [{"role": "user", "content": "hi"}]}


def request(path: str, asked: dict[str, Any]) -> bytes:
    body = json.dumps({"model": "vendor/small-chat", "stream": True, **asked}).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


async def stream(port: int, number: int, asked: bytes, last: bytes) -> None:
    """Every third client leaves before the answer, every third at its beginning; the others read it to its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(asked)
        if number % 3 == 0:
            await writer.drain()
        elif number % 3 == 1:
            await reader.readuntil(b"\r\n\r\n")
        else:
            await reader.readuntil(last)
    finally:
        writer.transport.abort()


@pytest.mark.parametrize(
    ("path", "asked", "last"),
    [
        ("/v1/chat/completions", _CHAT, b"data: [DONE]\n\n"),
        ("/v1/responses", {"input": "hi"}, b"event: response.completed"),
    ],
    ids=["chat", "response"],
)
async def test_no_task_connection_or_object_is_left(
    tmp_path: Path, path: str, asked: dict[str, Any], last: bytes
) -> None:
    one = partial(stream, asked=request(path, asked), last=last)
    async with (
        upstream_server() as vendor,
        serving(run_config(openai_at(vendor.url, network=_NO_IDLE_CONNECTIONS)), tmp_path) as served,
    ):

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                await served.client.app(scope, receive, send)
                return
            for kind in ("startup", "shutdown"):  # the stack behind it has been started
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})

        async with listening(app) as server, asyncio.timeout(_LIMIT_S):
            for number in range(3):
                await one(server.port, number)
            await until(lambda: not server.server.server_state.connections, limit_s=20)
            before = used()
            for _ in range(_STREAMS // _TOGETHER):
                await asyncio.gather(*(one(server.port, number) for number in range(_TOGETHER)))
            await until(lambda: not server.server.server_state.connections, limit_s=20)
            await until(lambda: all(now <= then for now, then in zip(used(), before, strict=True)), limit_s=20)
    assert len(vendor.calls("/chat/completions")) > _STREAMS // 3


def used() -> tuple[int, int, int]:
    """Tasks, open files, and answers that somebody still holds."""
    gc.collect()
    answers = sum(type(one).__name__ in ("Answer", "LiveExchange", "EventStream") for one in gc.get_objects())
    return len(asyncio.all_tasks()), len(list(Path("/proc/self/fd").iterdir())), answers
