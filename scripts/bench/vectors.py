"""What our vector databases cost beside their libraries, used directly: putting, searching, memory.

Run: `.venv/bin/python -m scripts.bench.vectors [NAME ...] [--rows N] [--dimension N]`. Each is measured in a process of
its own, over a new folder on this disk, filled by calls of 1000 vectors; ours as vector stores call it, by its six
methods. A search asks for the ten nearest; those of groups are of 1 and of half of the groups, which have 50 vectors.
Memory is what is resident after the searches and was not before the library was loaded.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np

from runtime import discovery
from runtime.apis.vector_io.protocol import GROUP_BITS, CreateCollection, PutVectors, SearchVectors
from runtime.config.provider_settings import config_model
from runtime.http.client import HttpClient
from runtime.provider import ProviderContext, Tasks
from scripts.bench import environments, measure, raw_vectors

_AT_ONCE, _GROUP_ROWS, _LIMIT = 1000, 50, 10
_SEARCH_S, _SEARCHES = 4.0, 200
_NAME = "vectors"
_NOTHING: Any = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[*raw_vectors.SUBJECTS], metavar="NAME")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--measure", choices=("raw", "ours"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        [name] = options.names
        with environments.scratch() as folder:
            one = _raw if options.measure == "raw" else _ours
            print(json.dumps(asyncio.run(one(name, folder, options.rows, options.dimension))))
        return
    rows = []
    for name in options.names:
        found = {kind: _measured(name, kind, options) for kind in ("raw", "ours")}
        raw, ours = found["raw"], found["ours"]
        rows.append((
            name,
            f"{raw['put_s']:.1f}, {ours['put_s']:.1f}",
            f"{raw['all_ms']:.2f}, {ours['all_ms']:.2f}",
            f"{ours['all_ms'] / raw['all_ms']:.2f}",
            f"{ours['one_ms']:.2f}, {ours['half_ms']:.2f}",
            f"{raw['grown_mb']:.0f}, {ours['grown_mb']:.0f}",
            f"{ours['grown_mb'] / raw['grown_mb']:.2f}",
        ))  # fmt: skip
    print(f"{measure.machine()}; {options.rows} vectors of {options.dimension} numbers\n")
    header = ("", "put all, s", "search p50, ms", "times", "of 1 group, of half, ms", "memory, MB", "times")
    print(measure.table(header, rows))


def _measured(name: str, kind: str, options: argparse.Namespace) -> dict[str, float]:
    measure.say(f"{name}: {kind}")
    command = [sys.executable, "-W", "ignore", "-m", "scripts.bench.vectors", name, "--measure", kind]
    command += ["--rows", str(options.rows), "--dimension", str(options.dimension)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


async def _raw(name: str, folder: Path, rows: int, dimension: int) -> dict[str, float]:
    drawn, before = _Drawn(dimension), _resident_mb()
    put, search = raw_vectors.SUBJECTS[name](folder, dimension)
    put_s = 0.0
    for at in range(0, rows, _AT_ONCE):
        numbers, vectors = drawn.piece(at)
        began = time.perf_counter()
        put(numbers, vectors)
        put_s += time.perf_counter() - began

    async def once(vector: Any) -> object:
        return search(vector, _LIMIT)

    all_ms = await _p50_ms(once, drawn)
    return {"put_s": put_s, "all_ms": all_ms, "grown_mb": _resident_mb() - before}


async def _ours(name: str, folder: Path, rows: int, dimension: int) -> dict[str, float]:
    drawn, before = _Drawn(dimension), _resident_mb()
    spec = discovery.built_in().by_type["vector_io", f"inline::{name}"]
    context = ProviderContext(
        provider_id=name, spec=spec, http=HttpClient(name), storage=_NOTHING, state_dir=folder, tasks=Tasks(name),
        stack=_NOTHING, find_api=_NOTHING, find_optional_api=_NOTHING, find_jobs=_NOTHING, find_loop=lambda _: False,
    )  # fmt: skip
    adapter = discovery.load(spec.adapter, package=spec.module)(config_model(spec)(), context)
    place = {"provider_id": name, "collection": _NAME}
    await adapter.create_collection(CreateCollection(**place, dimension=dimension))
    found = {"put_s": 0.0}
    for at in range(0, rows, _AT_ONCE):
        numbers, vectors = drawn.piece(at)
        began = time.perf_counter()
        await adapter.put_vectors(PutVectors(**place, numbers=numbers.tolist(), vectors=vectors.tobytes()))
        found["put_s"] += time.perf_counter() - began
    last = rows // _GROUP_ROWS
    for what, groups in (("all", None), ("one", [last // 2]), ("half", [*range(0, last, 2)])):

        async def once(vector: Any, groups: list[int] | None = groups) -> object:
            asked = SearchVectors(**place, vector=vector.tobytes(), limit=_LIMIT, groups=groups)
            return await adapter.search_vectors(asked)

        found[f"{what}_ms"] = await _p50_ms(once, drawn)
    found["grown_mb"] = _resident_mb() - before
    await adapter.stop()
    return found


async def _p50_ms(once: Callable[[Any], Awaitable[object]], drawn: _Drawn) -> float:
    """Of some hundred searches for vectors near those that are there, or as many as a few seconds allow."""
    random, (_, vectors) = np.random.default_rng(1), drawn.piece(0)
    taken: list[float] = []
    until = time.monotonic() + _SEARCH_S
    while len(taken) < _SEARCHES + 5 and (time.monotonic() < until or len(taken) < 15):
        near = vectors[random.integers(len(vectors))] + 0.02 * random.standard_normal(vectors.shape[1])
        asked = (near / np.linalg.norm(near)).astype(np.float32)
        began = time.perf_counter()
        await once(asked)
        taken.append((time.perf_counter() - began) * 1000)
    return measure.median(taken[5:])


def _resident_mb() -> float:
    gc.collect()
    return measure.tree_memory(os.getpid()).rss_mb


class _Drawn:
    """Numbers in groups, and vectors around a few hundred others, as texts on as many subjects have them; in pieces, so
    that nothing of them stays in memory.
    """

    def __init__(self, dimension: int) -> None:
        self._subjects = np.random.default_rng(0).standard_normal((200, dimension), dtype=np.float32)

    def piece(self, first: int) -> tuple[Any, Any]:
        """The next numbers and vectors from this place on: the same each time."""
        random, at = np.random.default_rng([1, first]), first + np.arange(_AT_ONCE, dtype=np.int64)
        vectors = self._subjects[random.integers(0, 200, _AT_ONCE)]
        vectors += 0.7 * random.standard_normal(vectors.shape, dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return ((at // _GROUP_ROWS) << GROUP_BITS) + at % _GROUP_ROWS, vectors


if __name__ == "__main__":
    main()
