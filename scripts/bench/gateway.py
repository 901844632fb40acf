"""What our gateway costs beside the least that its libraries can do, and beside ogx and litellm.

Run: `.venv/bin/python -m scripts.bench.gateway [--rounds N] [--servers floor ours ogx litellm] [--works chat ...]`.
Prints the CPU of the server's whole process tree for each request, or for each chunk of a stream; the upstream and the
load are other processes and do not count. Of ours, what is "stored" is on disk before its answer ends. Then how much
later the first event of a stream comes through a server than directly, how many connections to the upstream 1,000
requests have opened, and the memory after all of it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scripts.bench import environments, first_event, load, measure, servers, upstream
from scripts.bench.servers import Server

CHAT: dict[str, Any] = {
    "messages": [{"role": "user", "content": "What is the capital of France?"}],
    "temperature": 0.5,
    "store": False,
}
_LONG = {**CHAT, "messages": [{"role": "user", "content": "All work and no play. " * (64 * 1024 // 22)}]}
PATH = "/v1/chat/completions"
_STREAM = {**CHAT, "stream": True}
_KEPT = {"store": True}
"""In a request whose answer is on disk before its end leaves."""


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


_BURST = load.Work(path=PATH, body=_STREAM, events=upstream.BURST_EVENTS)
_PACED = load.Work(path=PATH, body=_STREAM, events=upstream.PACED_EVENTS)
_EMBEDDING = load.Work(path="/v1/embeddings", body={"input": "a short text to embed"})
_WORKS = {
    "chat": _Load(model="burst", work=load.Work(path=PATH, body=CHAT), requests=3000, dear_requests=300),
    "chat, 64 KiB prompt": _Load(
        model="burst", work=load.Work(path=PATH, body=_LONG), requests=2000, dear_requests=200
    ),
    "stored chat": _Load(model="burst", work=load.Work(path=PATH, body=CHAT | _KEPT), requests=3000, dear_requests=300),
    "stored chat, 64 KiB prompt": _Load(
        model="burst", work=load.Work(path=PATH, body=_LONG | _KEPT), requests=2000, dear_requests=200
    ),
    "embeddings": _Load(model="embed", work=_EMBEDDING, requests=3000, dear_requests=300),
    "models": _Load(model="", work=load.Work(method="GET", path="/v1/models"), requests=6000, dear_requests=300),
    "burst": _Load(model="burst", work=_BURST, units=upstream.BURST_EVENTS, requests=320, dear_requests=16),
    "stored burst": _Load(
        model="burst",
        work=load.Work(path=PATH, body=_STREAM | _KEPT, events=upstream.BURST_EVENTS),
        units=upstream.BURST_EVENTS,
        requests=320,
        dear_requests=16,
    ),
    "block": _Load(model="block", work=_BURST, units=upstream.BURST_EVENTS, requests=320, dear_requests=16),
    "paced": _Load(
        model="paced", work=_PACED, connections=64, units=upstream.PACED_EVENTS, requests=128, dear_requests=64
    ),
}
_DEAR = ("ogx", "ogx without store", "litellm")
_MERGES_EVENTS = ("litellm",)
"""Servers that send several events of a fast upstream as one: their cost for each is not comparable."""
# work -> at most so many times the floor: what must be, and the goal
_BUDGETS = {
    "chat": (1.6, 1.4),
    "chat, 64 KiB prompt": (2.0, 1.6),
    "stored chat": (2.3, 1.9),
    "embeddings": (1.6, 1.4),
    "models": (1.4, 1.2),
    "burst": (1.6, 1.4),
    "paced": (1.25, 1.15),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--servers", nargs="+", default=["floor", "ours", "ogx", "litellm"], help="the first is the base"
    )
    parser.add_argument("--works", nargs="*", default=list(_WORKS), choices=list(_WORKS))
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        mock = stack.enter_context(servers.mock(folder))
        running = _start(options.servers, mock, folder, stack)
        caption = measure.machine()
        rows = [row for work in options.works for row in _cpu(work, running, options.rounds)]
        print(f"{caption}; {options.rounds} rounds\n")
        base = options.servers[0]
        print(measure.table(("work", "server", "CPU us a unit", f"times {base}", "budget, goal"), rows))
        print("\n" + measure.table(("server", "first event later, ms", "connections for 1,000 chats", "RSS MB"), [
            (
                name,
                measure.spread(first_event.delays_ms(mock, server, model=server.model_prefix + "short"), 2),
                str(_connections(mock, name, server)),
                f"{measure.tree_memory(server.pid).rss_mb:.0f}",
            )
            for name, server in running.items()
        ]))  # fmt: skip


def _cpu(work: str, running: Mapping[str, Server], rounds: int) -> list[tuple[str, ...]]:
    """A row for each server."""
    measure.say(work)
    left_out = _MERGES_EVENTS if _WORKS[work].units > 1 else ()
    subjects = {name: _measured(name, server, work) for name, server in running.items() if name not in left_out}
    for once in subjects.values():  # opens connections, imports what is imported late
        once()
    found = measure.interleaved(subjects, rounds=rounds)
    base = found[next(iter(running))]
    rows = []
    for name, costs in found.items():
        budget = " ".join(map(str, _BUDGETS.get(work, ()))) if name == "ours" else ""
        rows.append((work, name, measure.spread(costs, 1), measure.spread(measure.ratios(costs, base)), budget))
        measure.say("  ".join(rows[-1]))
    return rows


def _connections(mock: str, name: str, server: Server) -> int:
    """How many connections a server opens to the upstream for 1,000 chats."""
    chat = replace(_WORKS["chat"].work, body={"model": f"{server.model_prefix}burst", **CHAT})
    before = first_event.connections(mock).accepted
    load.put(chat, server.port, requests=1000, connections=16)
    return first_event.connections(mock).accepted - before - 1


def _start(names: list[str], mock: str, folder: Path, stack: ExitStack) -> dict[str, Server]:
    running = {}
    for name in names:
        measure.say(f"starting {name}")
        if name == "floor":
            server = stack.enter_context(servers.floor(mock, folder))
        elif name == "ours":
            remote = environments.distribution("remote")
            server = stack.enter_context(servers.ours(remote, folder, variables=servers.openai_environment(mock)))
            server.wait_for("/v1/health")
        elif name == "litellm":
            server = stack.enter_context(servers.litellm(mock, folder))
            server.wait_for("/health/liveliness")
        else:
            server = stack.enter_context(servers.ogx(mock, folder, with_store=name == "ogx"))
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
        before = measure.threads_cpu_s(server.pid)
        load.put(asked, server.port, requests=requests, connections=min(put.connections, requests))
        return (measure.threads_cpu_s(server.pid) - before) * 1e6 / (requests * put.units)

    return once


if __name__ == "__main__":
    main()
