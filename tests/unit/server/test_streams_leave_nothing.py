"""Many streams over real connections, most of whose clients leave: nothing of them stays."""

from __future__ import annotations

import asyncio
import gc
import json
from pathlib import Path
from typing import Any

from tests.support.listing import until
from tests.support.raw_http import listening
from tests.support.stacks import openai_at, run_config, serving
from tests.support.upstream import Upstream

_STREAMS, _TOGETHER = 500, 25
_LIMIT_S = 60.0
_NO_IDLE_CONNECTIONS = {"limits": {"max_keepalive_connections": 0}}
_BODY = json.dumps(
    {"model": "vendor/small-chat", "messages": [{"role": "user", "content": "hi"}], "stream": True}
).encode()
_REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)


async def stream(port: int, number: int) -> None:
    """Every third client leaves before the answer, every third at its beginning; the others read it to its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(_REQUEST)
        if number % 3 == 0:
            await writer.drain()
        elif number % 3 == 1:
            await reader.readuntil(b"\r\n\r\n")
        else:
            await reader.readuntil(b"data: [DONE]\n\n")
    finally:
        writer.transport.abort()


async def test_no_task_connection_or_object_is_left(upstream: Upstream, tmp_path: Path) -> None:
    async with serving(run_config(openai_at(upstream.url, network=_NO_IDLE_CONNECTIONS)), tmp_path) as served:

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                await served.client.app(scope, receive, send)
                return
            for kind in ("startup", "shutdown"):  # the stack behind it has been started
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})

        async with listening(app) as server, asyncio.timeout(_LIMIT_S):
            for number in range(3):
                await stream(server.port, number)
            await until(lambda: not server.server.server_state.connections, limit_s=20)
            before = used()
            for _ in range(_STREAMS // _TOGETHER):
                await asyncio.gather(*(stream(server.port, number) for number in range(_TOGETHER)))
            await until(lambda: not server.server.server_state.connections, limit_s=20)
            await until(lambda: all(now <= then for now, then in zip(used(), before, strict=True)), limit_s=20)
    assert len(upstream.calls("/chat/completions")) > _STREAMS // 3


def used() -> tuple[int, int, int]:
    """Tasks, open files, and answers that somebody still holds."""
    gc.collect()
    answers = sum(type(one).__name__ in ("Answer", "LiveExchange", "EventStream") for one in gc.get_objects())
    return len(asyncio.all_tasks()), len(list(Path("/proc/self/fd").iterdir())), answers
