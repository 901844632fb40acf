"""What our vector databases cost beside their libraries, used directly: putting, searching, memory.

Run: `.venv/bin/python -m scripts.bench.vectors [NAME ...] [--rows N] [--dimension N]`. Each is measured in a process of
its own, over a new folder on this disk, filled by calls of 1000 vectors; ours as vector stores call it, by its six
methods. A search asks for the ten nearest; those of groups are of 1 and of half of the groups, which have 50 vectors.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np

from runtime import discovery
from runtime.apis.vector_io import GROUP_BITS, CreateCollection, PutVectors, SearchVectors
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
        environments.BENCH.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=environments.BENCH) as folder:
            one = _raw if options.measure == "raw" else _ours
            print(json.dumps(asyncio.run(one(name, Path(folder), options.rows, options.dimension))))
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
            f"{raw['peak_mb']:.0f}, {ours['peak_mb']:.0f}",
        ))  # fmt: skip
    print(f"{measure.machine()}; {options.rows} vectors of {options.dimension} numbers\n")
    header = ("", "put all, s", "search p50, ms", "times", "of 1 group, of half, ms", "peak, MB")
    print(measure.table(header, rows))


def _measured(name: str, kind: str, options: argparse.Namespace) -> dict[str, float]:
    measure.say(f"{name}: {kind}")
    command = [sys.executable, "-W", "ignore", "-m", "scripts.bench.vectors", name, "--measure", kind]
    command += ["--rows", str(options.rows), "--dimension", str(options.dimension)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


async def _raw(name: str, folder: Path, rows: int, dimension: int) -> dict[str, float]:
    numbers, vectors = _drawn(rows, dimension)
    put, search = raw_vectors.SUBJECTS[name](folder, dimension)
    began = time.perf_counter()
    for at in range(0, rows, _AT_ONCE):
        put(numbers[at : at + _AT_ONCE], vectors[at : at + _AT_ONCE])
    put_s = time.perf_counter() - began

    async def once(vector: Any) -> object:
        return search(vector, _LIMIT)

    return {"put_s": put_s, "all_ms": await _p50_ms(once, vectors), "peak_mb": measure.own_peak_mb()}


async def _ours(name: str, folder: Path, rows: int, dimension: int) -> dict[str, float]:
    numbers, vectors = _drawn(rows, dimension)
    spec = discovery.by_type()["vector_io", f"inline::{name}"]
    context = ProviderContext(
        provider_id=name, spec=spec, http=HttpClient(name), storage=_NOTHING, state_dir=folder, tasks=Tasks(name),
        stack=_NOTHING, find_api=_NOTHING, find_optional_api=_NOTHING, find_jobs=_NOTHING, find_loop=lambda _: False,
    )  # fmt: skip
    adapter = discovery.load(spec.adapter, package=spec.module)(config_model(spec)(), context)
    place = {"provider_id": name, "collection": _NAME}
    await adapter.create_collection(CreateCollection(**place, dimension=dimension))
    began = time.perf_counter()
    for at in range(0, rows, _AT_ONCE):
        some, content = numbers[at : at + _AT_ONCE].tolist(), vectors[at : at + _AT_ONCE].tobytes()
        await adapter.put_vectors(PutVectors(**place, numbers=some, vectors=content))
    found = {"put_s": time.perf_counter() - began}
    last = rows // _GROUP_ROWS
    for what, groups in (("all", None), ("one", [last // 2]), ("half", [*range(0, last, 2)])):

        async def once(vector: Any, groups: list[int] | None = groups) -> object:
            asked = SearchVectors(**place, vector=vector.tobytes(), limit=_LIMIT, groups=groups)
            return await adapter.search_vectors(asked)

        found[f"{what}_ms"] = await _p50_ms(once, vectors)
    found["peak_mb"] = measure.own_peak_mb()
    await adapter.stop()
    return found


async def _p50_ms(once: Callable[[Any], Awaitable[object]], vectors: Any) -> float:
    """Of some hundred searches for vectors near those that are there, or as many as a few seconds allow."""
    random = np.random.default_rng(1)
    taken: list[float] = []
    until = time.monotonic() + _SEARCH_S
    while len(taken) < _SEARCHES + 5 and (time.monotonic() < until or len(taken) < 15):
        near = vectors[random.integers(len(vectors))] + 0.02 * random.standard_normal(vectors.shape[1])
        asked = (near / np.linalg.norm(near)).astype(np.float32)
        began = time.perf_counter()
        await once(asked)
        taken.append((time.perf_counter() - began) * 1000)
    return measure.median(taken[5:])


def _drawn(rows: int, dimension: int) -> tuple[Any, Any]:
    """Numbers in groups, and vectors around a few hundred others, as texts on as many subjects have them."""
    random = np.random.default_rng(0)
    at = np.arange(rows, dtype=np.int64)
    subjects = random.standard_normal((200, dimension), dtype=np.float32)
    vectors = subjects[random.integers(0, 200, rows)] + 0.7 * random.standard_normal(
        (rows, dimension), dtype=np.float32
    )
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return ((at // _GROUP_ROWS) << GROUP_BITS) + at % _GROUP_ROWS, vectors


if __name__ == "__main__":
    main()
