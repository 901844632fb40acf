"""What a stack in a program's own process costs, beside the same stack behind a socket on the same machine.

Run: `.venv/bin/python -m scripts.bench.library_client [--rounds N]`. The client is httpx2's, as in OpenAI's; the vendor
is a mock in a process of its own, which does not count. Prints the CPU of a fresh program until its first answer,
without what importing httpx2 takes, and of each request, or chunk of a stream: of the program, and over HTTP of the
server too. Budgets: 0.5 s to the first answer without torch, and a chat at most 0.7 times that over HTTP.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from scripts.bench import measure, servers
from scripts.bench.servers import Server
from scripts.bench.upstream import BURST_EVENTS

_CHAT: dict[str, Any] = {
    "model": "openai/burst",
    "messages": [{"role": "user", "content": "What is the capital of France?"}],
    "store": False,
}
_WORKS = {"chat": (_CHAT, 400, 1), "burst": ({**_CHAT, "stream": True}, 20, BURST_EVENTS)}
"""Work -> a request's body, how many requests a measurement has, the chunks of an answer."""
_WARM_UP = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ask", nargs=3, help=argparse.SUPPRESS, metavar=("WAY", "AT", "WORK"))
    options = parser.parse_args()
    if options.ask:
        print(json.dumps(_ask(*options.ask)))
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = stack.enter_context(servers.mock(folder))
        providers = {"inference": [servers.openai_provider(upstream)]}
        config = folder / "library.yaml"
        config.write_text(json.dumps({"version": 2, "distro_name": "bench", "providers": providers}))  # JSON is YAML
        server = stack.enter_context(servers.of_this_tree(folder, providers))
        ways = {"library": str(config), "library, coroutines": str(config), "HTTP": f"http://127.0.0.1:{server.port}"}
        starts: list[float] = []
        rows = []
        for work in _WORKS:
            subjects: dict[str, Callable[[], float]] = {
                way: partial(_cost_us, way, at, work, server, starts) for way, at in ways.items()
            }
            found = measure.interleaved(subjects, rounds=options.rounds)
            for way, costs in found.items():
                times = measure.spread(measure.ratios(costs, found["HTTP"]))
                rows.append((work, way, measure.spread(costs, 0), times))
        print(f"{measure.machine()}; {options.rounds} rounds\n")
        print(measure.table(("work", "way", "CPU us a request or chunk", "times HTTP"), rows))
        print(f"\nCPU to the first answer of a program with a library: {measure.spread(starts)} s; budget 0.5")


def _cost_us(way: str, at: str, work: str, server: Server, starts: list[float]) -> float:
    """Of one unit, from a program that is started for it; over HTTP with what the server has spent meanwhile."""
    _, requests, units = _WORKS[work]
    before = measure.tree_cpu_s(server.pid)
    with tempfile.TemporaryDirectory() as state:
        done = subprocess.run(
            [sys.executable, "-m", "scripts.bench.library_client", "--ask", way, at, work],
            env={**os.environ, "STATE": state}, check=True, stdout=subprocess.PIPE,
        )  # fmt: skip
    told = json.loads(done.stdout)
    served = 0.0
    if way == "HTTP":  # the requests that warm it up are the server's too
        served = (measure.tree_cpu_s(server.pid) - before) * requests / (requests + _WARM_UP)
    else:
        starts.append(told["start_s"])
    return (float(told["asked_s"]) + served) * 1e6 / requests / units


def _ask(way: str, at: str, work: str) -> dict[str, float]:
    """The program that is measured."""
    before = time.process_time()
    import httpx2

    theirs = time.process_time() - before
    if way == "library, coroutines":
        return asyncio.run(_ask_in_coroutines(at, work, theirs))
    if way == "HTTP":
        client: Any = httpx2.Client(base_url=at, timeout=60)
    else:
        from runtime.client import LlamaStackAsLibraryClient

        client = LlamaStackAsLibraryClient(at, state_dir=os.environ["STATE"]).http_client(httpx2)
    body, requests, _ = _WORKS[work]

    def one() -> None:
        with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            size = sum(len(data) for data in answer.iter_bytes())
            assert answer.status_code == 200 and size > 100

    client.get("/v1/health").raise_for_status()
    start_s = time.process_time() - theirs
    _check_light()
    for _ in range(_WARM_UP):
        one()
    began = time.process_time()
    for _ in range(requests):
        one()
    return {"start_s": start_s, "asked_s": time.process_time() - began}


async def _ask_in_coroutines(at: str, work: str, theirs: float) -> dict[str, float]:
    import httpx2

    from runtime.client import AsyncLlamaStackAsLibraryClient

    body, requests, _ = _WORKS[work]
    async with AsyncLlamaStackAsLibraryClient(at, state_dir=os.environ["STATE"]) as stack:
        client = stack.http_client(httpx2)

        async def one() -> None:
            async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
                size = sum([len(data) async for data in answer.aiter_bytes()])
                assert answer.status_code == 200 and size > 100

        (await client.get("/v1/health")).raise_for_status()
        start_s = time.process_time() - theirs
        _check_light()
        for _ in range(_WARM_UP):
            await one()
        began = time.process_time()
        for _ in range(requests):
            await one()
        return {"start_s": start_s, "asked_s": time.process_time() - began}


def _check_light() -> None:
    assert "torch" not in sys.modules, "a stack of remote providers has imported torch"


if __name__ == "__main__":
    main()
