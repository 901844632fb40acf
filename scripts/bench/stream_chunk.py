"""What a request and a streamed chunk cost through `_openai_compatible`, next to the floor and to peers.

Run: `.venv/bin/python -m scripts.bench.stream_chunk [--rounds N] [--servers floor ours ogx ...] [--works burst ...]`.
Figures are CPU of the server's whole process tree for each request, or for each chunk of a stream, in microseconds; the
upstream and the load are other processes and do not count. Budget: a streamed chunk at most 2 times the floor.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scripts.bench import environments, load, measure, servers, upstream
from scripts.bench.servers import Server

_CHAT: dict[str, Any] = {
    "messages": [{"role": "user", "content": "What is the capital of France?"}],
    "temperature": 0.5,
}
_LONG = {**_CHAT, "messages": [{"role": "user", "content": "All work and no play. " * (64 * 1024 // 22)}]}
_PATH = "/v1/chat/completions"
_STREAM = {**_CHAT, "stream": True}


@dataclass(frozen=True, kw_only=True)
class _Load:
    """A kind of load. units: what the cost is divided by, in each answer: 1, or the chunks of a stream.

    requests, dear_requests: how many in one measurement, of a server that is cheap or dear: about a second of CPU.
    """

    model: str
    work: load.Work
    connections: int = 16
    units: int = 1
    requests: int
    dear_requests: int


_BURST = load.Work(path=_PATH, body=_STREAM, events=upstream.BURST_EVENTS)
_PACED = load.Work(path=_PATH, body=_STREAM, events=upstream.PACED_EVENTS)
_EMBEDDING = load.Work(path="/v1/embeddings", body={"input": "a short text to embed"})
_WORKS = {
    "chat": _Load(model="burst", work=load.Work(path=_PATH, body=_CHAT), requests=3000, dear_requests=300),
    "chat, 64 KiB prompt": _Load(
        model="burst", work=load.Work(path=_PATH, body=_LONG), requests=2000, dear_requests=200
    ),
    "embeddings": _Load(model="embed", work=_EMBEDDING, requests=3000, dear_requests=300),
    "models": _Load(model="", work=load.Work(method="GET", path="/v1/models"), requests=6000, dear_requests=300),
    "burst": _Load(model="burst", work=_BURST, units=upstream.BURST_EVENTS, requests=320, dear_requests=16),
    "block": _Load(model="block", work=_BURST, units=upstream.BURST_EVENTS, requests=320, dear_requests=16),
    "paced": _Load(
        model="paced", work=_PACED, connections=48, units=upstream.PACED_EVENTS, requests=96, dear_requests=48
    ),
}
_DEAR = ("ogx", "ogx without store")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--servers", nargs="+", default=["floor", "ours", "ogx", "ogx without store"], help="the first is the base"
    )
    parser.add_argument("--works", nargs="+", default=list(_WORKS), choices=list(_WORKS))
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running = _start(options.servers, folder, stack)
        rows = []
        caption = measure.machine()
        for work in options.works:
            measure.say(work)
            subjects = {name: _measured(name, server, work) for name, server in running.items()}
            for once in subjects.values():  # opens connections, imports what is imported late
                once()
            found = measure.interleaved(subjects, rounds=options.rounds)
            base = found[options.servers[0]]
            for name, costs in found.items():
                rows.append((work, name, measure.spread(costs, 1), measure.spread(measure.ratios(costs, base))))
                measure.say("  ".join(rows[-1]))
        print(f"{caption}; {options.rounds} rounds\n")
        print(measure.table(("work", "server", "CPU us a unit", f"times {options.servers[0]}"), rows))
        memory = [(name, measure.tree_memory(server.pid)) for name, server in running.items()]
        print(
            "\n" + measure.table(("after all that", "RSS MB"), ((name, f"{used.rss_mb:.0f}") for name, used in memory))
        )


def _start(names: list[str], folder: Path, stack: ExitStack) -> dict[str, Server]:
    address = stack.enter_context(servers.mock(folder))
    running = {}
    for name in names:
        measure.say(f"starting {name}")
        if name == "floor":
            server = stack.enter_context(servers.floor(address, folder))
        elif name == "ours":
            remote = environments.distribution("remote")
            server = stack.enter_context(servers.ours(remote, folder, variables=servers.openai_environment(address)))
            server.wait_for("/v1/health")
        else:
            server = stack.enter_context(servers.ogx(address, folder, with_store=name == "ogx"))
            server.wait_for("/v1/health")
        running[name] = server
    return running


def _measured(name: str, server: Server, work: str) -> Callable[[], float]:
    """A function that puts the load on and returns microseconds of CPU for each unit."""
    put = _WORKS[work]
    asked = put.work
    if asked.body is not None:
        asked = replace(asked, body={"model": server.model_prefix + put.model, **asked.body})
    requests = put.dear_requests if name in _DEAR else put.requests

    def once() -> float:
        before = measure.tree_cpu_s(server.pid)
        load.put(asked, server.port, requests=requests, connections=min(put.connections, requests))
        return (measure.tree_cpu_s(server.pid) - before) * 1e6 / (requests * put.units)

    return once


if __name__ == "__main__":
    main()
