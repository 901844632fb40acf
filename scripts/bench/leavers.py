"""What many streams leave behind in our server when most of their clients leave.

Run: `.venv/bin/python -m scripts.bench.leavers [--streams N] [--together N]`. Of every four clients one leaves before
the answer, one after its first event, one at a random moment of it, and one reads it to its end. Prints the server's
threads, open files and memory, its clients' connections, and its connections to the upstream: after a tenth of the
streams, after all, and when idle connections have been closed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import tempfile
from contextlib import ExitStack
from dataclasses import astuple, dataclass
from pathlib import Path

from scripts.bench import environments, first_event, measure, servers, upstream
from scripts.bench.servers import Server

_LONGEST_S = upstream.PACED_EVENTS * upstream.PACE_S
_IDLE_S = 12.0
"""Longer than the server keeps idle connections to an upstream, and aiohttp's clock for them."""
_LIMIT_S = 60.0


@dataclass(frozen=True)
class _Held:
    """What a server holds. clients, upstream: connections."""

    threads: int
    files: int
    clients: int
    upstream: int
    rss_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--together", type=int, default=100)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        mock = stack.enter_context(servers.mock(folder))
        remote = environments.distribution("remote")
        server = stack.enter_context(servers.ours(remote, folder, variables=servers.openai_environment(mock)))
        server.wait_for("/v1/health")
        rows = []
        done = 0
        for name, streams in (("a tenth", options.streams // 10), ("all", options.streams - options.streams // 10)):
            asyncio.run(_run(server, streams, options.together))
            done += streams
            rows.append((f"{name}: {done:,} streams", _held(server, mock)))
            measure.pause(_IDLE_S)
            rows.append((f"{_IDLE_S:.0f} s later", _held(server, mock)))
        print(f"{measure.machine()}; {options.together} at once\n")
        header = ("after", "threads", "open files", "connections of clients", "to the upstream", "RSS MB")
        print(measure.table(header, [(name, *map(str, astuple(held))) for name, held in rows]))


async def _run(server: Server, streams: int, together: int) -> None:
    """So many streams, each by a client with a connection of its own. Raises TimeoutError."""
    left = iter(range(streams))

    async def client() -> None:
        for number in left:
            async with asyncio.timeout(_LIMIT_S):
                await _stream(server, number)

    await asyncio.gather(*(client() for _ in range(together)))


async def _stream(server: Server, number: int) -> None:
    kind = number % 4
    model = server.model_prefix + ("short" if kind == 3 else "paced")
    body = json.dumps({"model": model, "stream": True, "messages": [{"role": "user", "content": "hello"}]}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        head = "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        if kind == 1:
            await reader.readuntil(b"data: ")
        elif kind == 2:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(random.uniform(0, _LONGEST_S / 4)):  # any moment will do
                    await reader.read(-1)
        elif kind == 3:
            await reader.readuntil(b"data: [DONE]\n\n")
    finally:
        writer.transport.abort()


def _held(server: Server, mock: str) -> _Held:
    process = Path(f"/proc/{server.pid}")
    return _Held(
        threads=len(list((process / "task").iterdir())),
        files=len(list((process / "fd").iterdir())),
        clients=_established(server.port),
        upstream=first_event.connections(mock).open,
        rss_mb=round(measure.tree_memory(server.pid).rss_mb, 1),
    )


def _established(port: int) -> int:
    """The connections that a server on this port of this machine has."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(row[1].rpartition(":")[2], 16) == port and row[3] == "01" for row in rows)


if __name__ == "__main__":
    main()
