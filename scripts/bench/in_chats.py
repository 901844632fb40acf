"""What requests to an API cost, as multiples of one plain chat through the floor: the same figure for every API.

Knows the servers that such a bench has running (the mock upstream, the floor, ours of this environment in a folder on
this disk) and how its table looks. Knows no API.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.bench import environments, load, measure, servers
from scripts.bench.gateway import CHAT, PATH
from scripts.bench.servers import Server

_CHAT = "floor, a chat"
_WORK = load.Work(path=PATH, body={"model": "burst", **CHAT})


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """The options that each such bench has. doc: its module's."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    return parser


def cpu_us(server: Server, count: int, work: load.Work | Callable[[], object], *, connections: int = 16) -> float:
    """Microseconds of the server's CPU for each of so many requests. work: one of them, or what makes them all."""
    before = measure.threads_cpu_s(server.pid)
    if isinstance(work, load.Work):
        load.put(work, server.port, requests=count, connections=min(connections, count))
    else:
        work()
    return (measure.threads_cpu_s(server.pid) - before) * 1e6 / count


@dataclass(frozen=True, kw_only=True)
class Bench:
    """upstream: the mock's base URL. stack: ends with the bench."""

    upstream: str
    floor: Server
    folder: Path
    stack: ExitStack

    def serve(self, providers: Mapping[str, Any], **sections: Any) -> Server:
        """Our server of this environment, as `servers.of_this_tree` has it."""
        return self.stack.enter_context(servers.of_this_tree(self.folder, providers, **sections))

    def compare(
        self, subjects: Mapping[str, Callable[[], float]], budgets: Mapping[str, str], *, rounds: int, about: str = ""
    ) -> dict[str, list[float]]:
        """Measures microseconds of each subject's kind, and prints their table. Returns them by round."""
        caption = measure.machine()
        all_of_them = {_CHAT: lambda: cpu_us(self.floor, 2000, _WORK), **subjects}
        for once in all_of_them.values():  # opens connections, imports what is imported late
            once()
        found = measure.interleaved(all_of_them, rounds=rounds)
        rows = [
            (name, measure.spread(costs, 1), measure.spread(measure.ratios(costs, found[_CHAT])), budgets.get(name, ""))
            for name, costs in found.items()
        ]
        print(f"{caption}; {about}{rounds} rounds\n")
        print(measure.table(("work", "CPU us", "times a chat", "budget"), rows))
        return found


@contextmanager
def bench() -> Iterator[Bench]:
    """The mock and the floor, until the block ends."""
    with ExitStack() as stack:
        folder = stack.enter_context(environments.scratch())
        upstream = stack.enter_context(servers.mock(folder))
        floor = stack.enter_context(servers.floor(upstream, folder))
        yield Bench(upstream=upstream, floor=floor, folder=folder, stack=stack)
