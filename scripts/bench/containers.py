"""How soon a container is ready: made, and its first code run.

Run: `.venv/bin/python -m scripts.bench.containers [--rounds N]`. The containers API of a stack in this process, its
tables in SQLite in a temporary folder. Subjects alternate; printed are medians and the range of all rounds after the
first, in milliseconds, and the load of the machine, which they depend on: a process is made of some ten others' work.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from runtime.apis.containers.container import ContainerRequest, CreateContainerRequest
from runtime.apis.containers.protocol import Containers
from runtime.apis.containers.running import RunCodeRequest
from runtime.config.loading import parse_run_config
from runtime.stack.plan import plan
from runtime.stack.stack import Stack
from scripts.bench import measure

MOST_MS = 150.0
_CONFIG = {
    "version": 2,
    "distro_name": "bench",
    "apis": ["containers"],
    "providers": {"containers": [{"provider_id": "bubblewrap", "provider_type": "inline::bubblewrap"}]},
}
_PANDAS = "import pandas as pd\nint(pd.DataFrame({'a': [1, 2]})['a'].sum())"
_WARM_S = 60.0


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        config = parse_run_config(json.dumps(_CONFIG), env={})
        stack = Stack(plan(config), config, state_dir=Path(folder))
        await stack.open()
        try:
            stack.start()
            await stack.settled.wait()
            containers: Containers = stack.api("containers")
            first = await _ready(containers, "1+1")
            await _warmed(containers)
            subjects: dict[str, Callable[[], Awaitable[float]]] = {
                "made, `1+1`": lambda: _ready(containers, "1+1"),
                "made, pandas imported and used": lambda: _ready(containers, _PANDAS),
                "`1+1` in one that runs": _again(containers, await _made(containers)),
            }
            found: dict[str, list[float]] = {name: [] for name in subjects}
            for _ in range(rounds):
                for name, once in subjects.items():
                    found[name].append(await once())
        finally:
            await stack.close()
    print(f"{measure.machine()}; {rounds} rounds\n")
    print(f"| ms | median | fastest-slowest |\n|---|---:|---:|\n| the first of a server, `1+1` | {first:.0f} | |")
    for name, took in found.items():
        print(f"| {name} | {statistics.median(took):.1f} | {min(took):.1f}-{max(took):.1f} |")
    print(f"\nbudget: {MOST_MS:.0f} ms for a container that is made and runs `1+1`")


async def _made(containers: Containers) -> str:
    return (await containers.create_container(CreateContainerRequest(name="bench"))).id


async def _ready(containers: Containers, code: str) -> float:
    began = time.perf_counter()
    container_id = await _made(containers)
    run = await containers.run_code(RunCodeRequest(container_id=container_id, code=code))
    took = (time.perf_counter() - began) * 1000
    assert run.error is None and run.limit is None, run
    await containers.delete_container(ContainerRequest(container_id=container_id))
    return took


def _again(containers: Containers, container_id: str) -> Callable[[], Awaitable[float]]:
    async def once() -> float:
        began = time.perf_counter()
        await containers.run_code(RunCodeRequest(container_id=container_id, code="1+1"))
        return (time.perf_counter() - began) * 1000

    return once


async def _warmed(containers: Containers) -> None:
    """Until importing takes no longer than a second: packages are compiled beside the first run."""
    until = time.monotonic() + _WARM_S
    while time.monotonic() < until and await _ready(containers, _PANDAS) > 1000:
        pass


if __name__ == "__main__":
    asyncio.run(main())
