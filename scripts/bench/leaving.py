"""How long after a client has left its call upstream ends.

Run: `.venv/bin/python -m scripts.bench.leaving [--rounds N] [--together N]`. A server process with one provider; client
and upstream are both this process, so one clock measures both. The client leaves while the upstream has not answered
yet, in a pause between two events, and in a stream of 100 events a second; one client after the other, and many at
once. Budget: 50 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from scripts.bench import measure
from tests.support.server_process import server_process
from tests.support.stacks import openai_at

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_EVENT = b'data: {"model":"m","choices":[{"index":0,"delta":{"content":" token"},"finish_reason":null}]}\n\n'
_CHUNK = b"%x\r\n%b\r\n" % (len(_EVENT), _EVENT)
_BUDGET_MS = 50
_PACE_S = 0.01
_LIMIT_S = 30


@dataclass
class _Call:
    """One call as the upstream sees it. asked: its request has arrived. ended: when its connection was closed."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Future[float] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class _Upstream:
    """Answers as the model's name says: `headers` never, `pause` with one event, `events` without an end."""

    def __init__(self) -> None:
        self.calls: dict[str, _Call] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET"):
            writer.write(b'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 11\r\n\r\n{"data":[]}')
            writer.close()
            return
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        asked = json.loads(await reader.readexactly(length))
        call = self.calls[asked["user"]]
        call.asked.set()
        answering = asyncio.create_task(_answer(writer, asked["model"]))
        with contextlib.suppress(OSError):
            await reader.read()  # until the other side closes
        call.ended.set_result(time.perf_counter())
        answering.cancel()
        writer.transport.abort()


async def _answer(writer: asyncio.StreamWriter, model: str) -> None:
    if model != "headers":
        writer.write(_HEAD + _CHUNK)
    while model == "events":
        await asyncio.sleep(_PACE_S)
        writer.write(_CHUNK)


async def _leave(upstream: _Upstream, port: int, model: str, name: str) -> float:
    """Milliseconds from a client's leaving to the end of its call upstream."""
    call = upstream.calls[name] = _Call()
    body = json.dumps(
        {"model": f"vendor/{model}", "messages": [{"role": "user", "content": "hi"}], "stream": True, "user": name}
    ).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    writer.write(head.encode() + b"content-length: %d\r\n\r\n%b" % (len(body), body))
    await call.asked.wait()
    if model != "headers":
        await reader.readuntil(b"token")
    left = time.perf_counter()
    writer.transport.abort()
    return (await call.ended - left) * 1000


async def _measured(leave: Callable[[str], Awaitable[float]], *, rounds: int, together: int) -> tuple[list[float], ...]:
    alone = [await asyncio.wait_for(leave(f"alone-{turn}"), _LIMIT_S) for turn in range(rounds)]
    async with asyncio.timeout(_LIMIT_S):
        return alone, list(await asyncio.gather(*(leave(f"together-{turn}") for turn in range(together))))


async def _main(rounds: int, together: int) -> None:
    upstream = _Upstream()
    with tempfile.TemporaryDirectory() as folder:
        async with await asyncio.start_server(upstream.serve, "127.0.0.1", 0, backlog=1000) as listening:
            url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
            run = {"version": 2, "distro_name": "leaving", "providers": {"inference": [openai_at(url)]}}
            async with server_process(run, Path(folder)) as server:
                await server.until("provider started")
                port = urlsplit(server.url).port
                assert port is not None
                drained = asyncio.create_task(server.ended())
                print(measure.machine(), "\n")
                rows = []
                for model, where in (
                    ("headers", "before the answer"), ("pause", "in a pause"), ("events", "in a stream"),
                ):  # fmt: skip
                    alone, many = await _measured(
                        lambda name, model=model: _leave(upstream, port, model, f"{model}-{name}"),
                        rounds=rounds,
                        together=together,
                    )
                    rows.append((where, measure.spread(alone, 1), measure.spread(many, 1)))
                print(measure.table(("ms", f"{rounds} in turn", f"{together} at once"), rows))
                print(f"\nbudget: {_BUDGET_MS} ms")
                drained.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--together", type=int, default=50)
    options = parser.parse_args()
    asyncio.run(_main(options.rounds, options.together))


if __name__ == "__main__":
    main()
