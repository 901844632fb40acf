"""A mock of an OpenAI-shaped upstream that costs next to nothing: fixed bytes from a raw asyncio protocol on uvloop.

Run: `python -m scripts.bench.upstream` binds a free loopback port and prints it. Of its models `burst` streams as fast
as it can, each event in a write of its own, `block` all events in one write, `short` three of them, `paced` one every
20 ms; all answer in one piece where no stream is asked for; `search` calls `file_search` first, in one piece alone;
`embed` embeds, each text as a vector of its own.
`GET /connections` tells how many were accepted and are open. Knows the shapes on the wire, not who asks. Each event
travels as an HTTP chunk of its own, as vLLM's and llama.cpp's do.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import struct
import zlib
from typing import Any, cast

import httptools
import uvloop

BURST_EVENTS, PACED_EVENTS = 500, 100
PACE_S = 0.02
MODELS = ("burst", "block", "short", "paced", "search", "embed")
DIMENSIONS = 384


def _chunk(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event), event)


def _event(model: str, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    body = {
        "id": "chatcmpl-8d1f3a5b7c9e",
        "object": "chat.completion.chunk",
        "created": 1760000000,
        "model": model,
        "system_fingerprint": "fp_0123456789",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}],
    }
    return b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"


def _events(model: str, count: int) -> list[bytes]:
    """The chunks of one streamed answer: `count` events with a delta and `[DONE]`."""
    deltas = [_event(model, {"content": " token"}) for _ in range(count - 2)]
    whole = [_event(model, {"role": "assistant", "content": ""}), *deltas, _event(model, {}, "stop")]
    return [_chunk(event) for event in [*whole, b"data: [DONE]\n\n"]]


def _json(value: object) -> bytes:
    body = json.dumps(value, separators=(",", ":")).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"content-type: text/event-stream\r\n"
    b"cache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
_LAST_CHUNK = b"0\r\n\r\n"
_BURST = _events("burst", BURST_EVENTS)
_BLOCK = _STREAM_HEAD + b"".join(_events("block", BURST_EVENTS)) + _LAST_CHUNK
_SHORT = _STREAM_HEAD + b"".join(_events("short", 3)) + _LAST_CHUNK
_PACED = _events("paced", PACED_EVENTS)
_MODELS = _json(
    {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": 1760000000, "owned_by": "mock"} for name in MODELS],
    }
)


def _answer(message: dict[str, Any], finish_reason: str) -> bytes:
    """In one piece."""
    return _json(
        {
            "id": "chatcmpl-8d1f3a5b7c9e",
            "object": "chat.completion",
            "created": 1760000000,
            "model": "burst",
            "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}],
            "usage": {"prompt_tokens": 20, "completion_tokens": 50, "total_tokens": 70},
        }
    )


SEARCHED = "word40 word70 word1000 word9000"
_SEARCH = {"name": "file_search", "arguments": json.dumps({"queries": [SEARCHED]})}
_CHAT = _answer({"content": "Paris is the capital. " * 10}, "stop")
_CALL = _answer(
    {"content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": _SEARCH}]}, "tool_calls"
)
_RANDOM = random.Random(1)
_NUMBERS = struct.pack("<65536f", *(_RANDOM.gauss(0, 1) for _ in range(65536)))


def vector_of(text: str) -> bytes:
    """A vector that depends on the text alone and has no meaning, float32."""
    at = zlib.crc32(text.encode()) % (65536 - DIMENSIONS)
    return _NUMBERS[4 * at : 4 * (at + DIMENSIONS)]


def _embeddings(body: bytes) -> bytes:
    asked = json.loads(body)
    texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
    vectors = [vector_of(text) for text in texts]
    shown: list[Any] = [base64.b64encode(vector).decode() for vector in vectors]
    if asked.get("encoding_format") != "base64":
        shown = [[round(one, 7) for one in struct.unpack(f"<{DIMENSIONS}f", vector)] for vector in vectors]
    data = [{"object": "embedding", "index": index, "embedding": one} for index, one in enumerate(shown)]
    usage = {"prompt_tokens": 8 * len(texts), "total_tokens": 8 * len(texts)}
    return _json({"object": "list", "data": data, "model": "embed", "usage": usage})


class _Connection(asyncio.Protocol):
    """One client. Requests come one after the other; nothing is pipelined. accepted, opened: connections so far, and
    those that are open.
    """

    accepted = opened = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        _Connection.accepted += 1
        _Connection.opened += 1
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class, which is no subclass
        self._parser = httptools.HttpRequestParser(self)
        self._timer: asyncio.TimerHandle | None = None
        self._body = bytearray()
        self._url = b""

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._body.clear()
        self._url = b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._url.endswith(b"/models"):
            self._transport.write(_MODELS)
        elif self._url.endswith(b"/embeddings"):
            self._transport.write(_embeddings(self._body))
        elif self._url == b"/connections":
            self._transport.write(_json({"accepted": _Connection.accepted, "open": _Connection.opened}))
        elif b'"stream":true' not in self._body.replace(b'"stream": true', b'"stream":true'):
            searches = b'"search"' in self._body and b'"tool_call_id"' not in self._body
            self._transport.write(_CALL if searches else _CHAT)
        elif b'"paced"' in self._body:
            self._transport.write(_STREAM_HEAD)
            self._next_paced(0, asyncio.get_running_loop().time())
        elif b'"burst"' in self._body:
            self._transport.write(_STREAM_HEAD)
            self._next_of_burst(0)
        elif b'"short"' in self._body:
            self._transport.write(_SHORT)
        else:
            self._transport.write(_BLOCK)

    def _next_of_burst(self, place: int) -> None:
        """One event in each turn of the loop, which is what makes it a write of its own."""
        if self._transport.is_closing():
            return
        if place == len(_BURST):
            self._transport.write(_LAST_CHUNK)
            return
        self._transport.write(_BURST[place])
        asyncio.get_running_loop().call_soon(self._next_of_burst, place + 1)

    def _next_paced(self, place: int, due: float) -> None:
        if place == len(_PACED):
            self._transport.write(_LAST_CHUNK)
            return
        self._transport.write(_PACED[place])
        due += PACE_S
        self._timer = asyncio.get_running_loop().call_at(due, self._next_paced, place + 1, due)

    def connection_lost(self, error: Exception | None) -> None:
        _Connection.opened -= 1
        if self._timer is not None:
            self._timer.cancel()


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve())
