"""An upstream that dies in the middle of a stream, in every way: our client gets what came, an error event, and an end
without `[DONE]`.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.stacks import run_config
from tests.support.stacks import openai_at, serving

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
EVENT = b'data: {"model":"m","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'
Dies = Callable[[asyncio.StreamWriter], Awaitable[None]]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def writes(*parts: bytes) -> Dies:
    """Writes these parts, and closes the connection."""

    async def dies(writer: asyncio.StreamWriter) -> None:
        writer.write(b"".join(parts))

    return dies


async def resets(writer: asyncio.StreamWriter) -> None:
    writer.write(CHUNKED + chunk(EVENT))
    await writer.drain()
    # With a linger time of 0 the system sends RST in place of FIN.
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def is_silent(writer: asyncio.StreamWriter) -> None:
    writer.write(CHUNKED + chunk(EVENT))
    await asyncio.Event().wait()


def saying(event: Any) -> Dies:
    data = event if isinstance(event, bytes) else b"data: " + json.dumps(event).encode() + b"\n\n"
    return writes(CHUNKED, chunk(EVENT), chunk(data), chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n")


PAGE = b"<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n</html>\r\n"
WAYS: dict[str, tuple[Dies, str, str]] = {
    "reset": (resets, "upstream_error", "broke off its answer"),
    "a chunk that is shorter than announced": (
        writes(CHUNKED, chunk(EVENT), b"fff\r\ndata: {"), "upstream_error", "broke off its answer",
    ),
    "no last chunk": (writes(CHUNKED, chunk(EVENT)), "upstream_error", "broke off its answer"),
    "shorter than its length": (
        writes(HEAD, b"content-length: 9999\r\n\r\n", EVENT), "upstream_error", "broke off its answer",
    ),
    "closed without a length": (
        writes(HEAD, b"connection: close\r\n\r\n", EVENT), "upstream_incomplete", "before it was complete",
    ),
    "ended before it was complete": (
        writes(CHUNKED, chunk(EVENT), b"0\r\n\r\n"), "upstream_incomplete", "before it was complete",
    ),
    "an event that is cut": (
        writes(CHUNKED, chunk(EVENT), chunk(EVENT[:30]), b"0\r\n\r\n"), "upstream_incomplete", "before it was complete",
    ),
    "an event that is not JSON": (saying(b'data: {"choices": [\n\n'), "upstream_error", "is not JSON"),
    "an error event": (saying({"error": {"message": "lost", "code": "gone"}}), "gone", "error: lost"),
    "an error event with a status": (
        saying({"error": {"message": "slow down", "code": 429}}), "upstream_error", "answered 429: slow down",
    ),
    "a named error event": (
        saying(b'event: error\ndata: {"message": "lost"}\n\n'), "upstream_error", "error: lost",
    ),
    "an error in a choice": (
        saying({"choices": [{"index": 0, "error": {"code": 502, "message": "lost"}, "finish_reason": "error"}]}),
        "upstream_error", "answered 502: lost",
    ),
    "a finish reason that is an error": (
        saying({"choices": [{"index": 0, "delta": {}, "finish_reason": "error"}]}), "upstream_error", "an error:",
    ),
    "an error beside a choice": (
        saying({"error": {"code": "server_error", "message": "lost"}, "choices": [{"index": 0, "delta": {}}]}),
        "server_error", "error: lost",
    ),
    "a page in the middle": (saying(PAGE + b"\r\n"), "upstream_error", "504 Gateway Time-out"),
    "a page at the end": (
        writes(CHUNKED, chunk(EVENT), chunk(PAGE), b"0\r\n\r\n"), "upstream_error", "504 Gateway Time-out",
    ),
    "silence": (is_silent, "upstream_timeout", "did not go on with its answer within 0.1 s"),
}  # fmt: skip


@asynccontextmanager
async def vendor(dies: Dies) -> AsyncIterator[str]:
    """The address of a server that answers each request so."""
    running: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"GET"):
                writer.write(b'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 11\r\n\r\n{"data":[]}')
            else:
                await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
                await dies(writer)
        finally:
            writer.close()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.add(asyncio.create_task(answer(reader, writer)))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


@pytest.mark.parametrize(("dies", "code", "words"), WAYS.values(), ids=WAYS)
async def test_the_client_gets_what_came_and_an_error_event(tmp_path: Path, dies: Dies, code: str, words: str) -> None:
    asked = {"model": "vendor/m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    async with vendor(dies) as url:
        provider = openai_at(url, network={"timeout": {"first_byte": 10, "read": 0.1}})
        async with serving(run_config(provider), tmp_path) as served, asyncio.timeout(10):
            answer = await served.client.post("/v1/chat/completions", asked)
    came, failed = answer.payloads()
    assert (answer.status, json.loads(came)["model"]) == (200, "vendor/m")
    error = json.loads(failed)["error"]
    assert (error["code"], error["message"].startswith("`vendor` ")) == (code, True)
    assert words in error["message"]
    assert json.loads(failed)["request_id"] == answer.headers["x-request-id"]
