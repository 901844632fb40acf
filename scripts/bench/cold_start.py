"""What a server costs to start: CPU seconds until it is healthy and until its first chat, ours next to ogx's.

Run: `.venv/bin/python -m scripts.bench.cold_start [--rounds N]`. Ours is `starter`, which chats with the embedded
model, and `remote`, which has no model; both, and ogx, have the OpenAI provider at a mock. Budgets: `starter` healthy
for at most a third of ogx's CPU to its first chat; `remote` idle in at most 110 MB; torch not imported before the
socket answers.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from scripts.bench import environments, load, measure, servers, upstream
from scripts.bench.servers import Server

_IDLE_S = 5.0
_HEAVY = ("torch", "numpy", "tokenizers", "aiohttp")
_MESSAGES = [{"role": "user", "content": "What is the capital of France?"}]


@dataclass(frozen=True, kw_only=True)
class _Start:
    """CPU and wall seconds from the process's start, of its whole tree."""

    healthy_cpu_s: float
    healthy_s: float
    chat_cpu_s: float
    chat_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    starter, remote = environments.distribution("starter"), environments.distribution("remote")
    environments.environment("ogx")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        address = stack.enter_context(servers.mock(folder))
        variables = servers.openai_environment(address)
        starts: Mapping[str, tuple[Callable[[], AbstractContextManager[Server]], str]] = {
            "ogx": (lambda: servers.ogx(address, folder, with_store=True), "openai/burst"),
            "ours, `starter`, embedded model": (lambda: servers.ours(starter, folder), "SmolLM2-135M-Instruct"),
            "ours, `starter`, mock": (lambda: servers.ours(starter, folder, variables=variables), "openai/burst"),
            "ours, `remote`, mock": (lambda: servers.ours(remote, folder, variables=variables), "openai/burst"),
        }
        found: dict[str, list[_Start]] = {name: [] for name in starts}

        def once(name: str) -> float:
            start, model = starts[name]
            found[name].append(_measure(start, model))
            return found[name][-1].chat_cpu_s

        caption = measure.machine()
        for name in starts:  # writes the compiled files, reads the disk
            once(name)
            found[name].clear()
        measure.interleaved({name: partial(once, name) for name in starts}, rounds=options.rounds)
        _print_starts(caption, found, options.rounds)
        for distribution in (starter, remote):
            with servers.ours(distribution, folder, variables=variables, python_options=("-X", "importtime")) as server:
                print(f"\n`{distribution.name}`: {_modules(server)}")
        print()
        rows = []
        for name in ("ogx", "ours, `remote`, mock"):
            with starts[name][0]() as server:
                rows.append((name, *_memory(server)))
        print(measure.table(("MB, RSS / PSS", "idle 5 s after its start", "after 50 requests"), rows))


def _measure(start: Callable[[], AbstractContextManager[Server]], model: str) -> _Start:
    with start() as server:
        server.wait_for("/v1/health")
        healthy_cpu_s, healthy_s = measure.tree_cpu_s(server.pid), time.perf_counter() - server.born
        _chat(server, model)
        return _Start(
            healthy_cpu_s=healthy_cpu_s,
            healthy_s=healthy_s,
            chat_cpu_s=measure.tree_cpu_s(server.pid),
            chat_s=time.perf_counter() - server.born,
        )


def _chat(server: Server, model: str) -> None:
    status, body = server.ask("POST", "/v1/chat/completions", {"model": model, "messages": _MESSAGES, "max_tokens": 1})
    if status != 200:
        raise load.WrongAnswer(f"{server.process.args!r} answered {status}: {body[:500]!r}")


def _print_starts(caption: str, found: Mapping[str, list[_Start]], rounds: int) -> None:
    base = [start.chat_cpu_s for start in found["ogx"]]
    rows = []
    for name, starts in found.items():
        healthy, chat = [start.healthy_cpu_s for start in starts], [start.chat_cpu_s for start in starts]
        rows.append(
            (
                name,
                measure.spread(healthy),
                measure.spread(measure.ratios(healthy, base)),
                measure.spread([start.healthy_s for start in starts]),
                measure.spread(chat),
                measure.spread([start.chat_s for start in starts]),
            )
        )
    print(f"{caption}; {rounds} rounds; wall times on a shared machine are ranks only\n")
    header = ("server", "CPU s to healthy", "of ogx's CPU to its first chat", "wall s", "CPU s to first chat", "wall s")
    print(measure.table(header, rows))


def _modules(server: Server) -> str:
    """How many modules a server that was started with `-X importtime` has imported once it is found to be healthy.

    Its slow work begins when the socket answers, so a poll that comes late sees the first modules of that too: torch's
    parts come long before torch itself, and only the name itself counts as imported.
    """
    server.wait_for("/v1/health")
    lines = server.log.read_text(errors="replace").splitlines()
    modules = [line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")]
    heavy = [name for name in _HEAVY if name in modules]
    return f"{len(modules)} modules when it is healthy; of {', '.join(_HEAVY)}: {', '.join(heavy) or 'none'}"


def _memory(server: Server) -> tuple[str, str]:
    server.wait_for("/v1/health")
    measure.pause(_IDLE_S)
    idle = measure.tree_memory(server.pid)
    body = {"model": "openai/burst", "messages": _MESSAGES, "stream": True}
    chat = load.Work(path="/v1/chat/completions", body=body, events=upstream.BURST_EVENTS)
    load.put(chat, server.port, requests=50, connections=4)
    used = measure.tree_memory(server.pid)
    return f"{idle.rss_mb:.0f} / {idle.pss_mb:.0f}", f"{used.rss_mb:.0f} / {used.pss_mb:.0f}"


if __name__ == "__main__":
    main()
