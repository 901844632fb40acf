"""What an index of words costs in SQLite and in PostgreSQL: putting texts, its bytes, and searching.

Run: `.venv/bin/python -m scripts.bench.words [--texts N] [--queries N]`. Texts of 150 words out of 200,000, which are
as frequent as in a language (Zipf), put 100 at a time on the event loop that our server has; every put is on disk.
Meanwhile another caller writes a row again and again: what it waits is what a server's other writers wait. Searches
come one after the other, with the CPU time of this process, so without a PostgreSQL server's: "frequent words" are
among the 20 to 200 most frequent ones, those of a question among all but the first 30, frequent ones more often. Then
the same searches while another caller puts 10 texts at a time: each sees what has come since the last one. Budget: half
of the searches within 20 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import uvloop
from pydantic import SecretStr

from runtime.documents.words import words_of
from runtime.storage.postgres.config import PostgresSqlConfig
from runtime.storage.postgres.database import Database
from runtime.storage.sql import Column, Insert, Schema, SqlStore, Table
from runtime.storage.sql.backend import SqlBackend
from runtime.storage.sql.conditions import ALL
from runtime.storage.sql.measuring import measure as measure_table
from runtime.storage.sql.postgres import PostgresBackend
from runtime.storage.sql.sqlite import SqliteBackend
from runtime.storage.words.index import WordIndex
from runtime.storage.words.tables import WORD_TABLES
from scripts.bench import measure
from scripts.bench.language import Language, question
from tests.support.postgres import new_server

_LENGTH, _AT_ONCE = 150, 100
_BUDGET_MS = 20
_TICKS = Table(name="", columns=(Column("id", "integer"),), key=("id",), has_owners=False)
_SCHEMA = Schema(name="texts", tables=(_TICKS, *WORD_TABLES))
Entry = tuple[int, Sequence[str]]


def _batches(texts: int) -> list[list[Entry]]:
    """Texts to put, as they are put."""
    language = Language()
    return [
        [(group << 20 | place, language.words(_LENGTH)) for place in range(_AT_ONCE)]
        for group in range(texts // _AT_ONCE)
    ]


def _queries(groups: int) -> dict[str, Callable[[random.Random], tuple[list[str], Sequence[int] | None]]]:
    half = range(0, groups, 2)
    return {
        "4 words of a question": lambda draw: (question(draw, 4), None),
        "the same, in half of the files": lambda draw: (question(draw, 4), half),
        "4 frequent words": lambda draw: (question(draw, 4, least=20, most=200), None),
        "8 frequent words": lambda draw: (question(draw, 8, least=20, most=200), None),
        "40 words": lambda draw: (question(draw, 40, least=20), None),
    }


async def _put(index: WordIndex, store: SqlStore, batches: list[list[Entry]]) -> tuple[float, list[float]]:
    """Seconds for all of them, and the milliseconds that each of another caller's writes took meanwhile."""
    waited = []

    async def write() -> None:
        while True:
            began = time.perf_counter()
            await store.write(Insert(_TICKS, {"id": len(waited)}))
            waited.append((time.perf_counter() - began) * 1000)

    other = asyncio.ensure_future(write())
    began = time.perf_counter()
    for batch in batches:
        await index.put(1, batch)
    took = time.perf_counter() - began
    other.cancel()
    await asyncio.gather(other, return_exceptions=True)
    return took, waited


async def _search_ms(index: WordIndex, count: int, groups: int) -> dict[str, list[tuple[float, float]]]:
    """Of each kind of search, how long each one took, and the CPU time of this process meanwhile."""
    found: dict[str, list[tuple[float, float]]] = {}
    for name, query in _queries(groups).items():
        draw = random.Random(2)
        took = found.setdefault(name, [])
        for _ in range(count):
            words, only = query(draw)
            began, cpu_began = time.perf_counter(), time.process_time()
            await index.search(1, words, limit=50, groups=only)
            took.append(((time.perf_counter() - began) * 1000, (time.process_time() - cpu_began) * 1000))
    return found


async def _measured(name: str, backend: SqlBackend, texts: int, count: int) -> tuple[list[str], list[list[str]]]:
    store = SqlStore(lambda: backend, _SCHEMA, "texts")
    index = WordIndex(store, 1)
    measure.say(f"{name}: {texts} texts are made")
    batches = _batches(texts)
    measure.say(f"{name}: they are put")
    seconds, waited = await _put(index, store, batches)
    sizes = [await measure_table(store, table, ALL, now=0) for table in WORD_TABLES]
    size_mb = sum(size.size_bytes for size in sizes) / 1e6
    put = [name, f"{seconds / texts * 1000:.3f}", f"{size_mb:.0f}", _percentiles(waited)]
    measure.say(f"{name}: searches")
    alone = await _search_ms(index, count, len(batches))
    putting = asyncio.ensure_future(_put_again(index, batches))
    beside = await _search_ms(index, count, len(batches))
    putting.cancel()
    await asyncio.gather(putting, return_exceptions=True)
    lines = []
    for query, took in alone.items():
        walls, costs = zip(*took, strict=True)
        met = "yes" if np.median(walls) <= _BUDGET_MS else "NO"
        busy = _percentiles([wall for wall, _ in beside[query]])
        lines.append([f"{name}: {query}", _percentiles(walls), f"{np.median(costs):.1f}", busy, met])
    return put, lines


async def _put_again(index: WordIndex, batches: list[list[Entry]]) -> None:
    """New texts, without an end."""
    shift = 1
    while True:
        for batch in batches:
            await index.put(1, [(number + (shift << 50), words) for number, words in batch[:10]])
        shift += 1


def _percentiles(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.1f}" for value in np.percentile(values, (50, 95, 100)))


def _analysis_us() -> str:
    """What 100 words of our own documents and code take."""
    files = [*Path("docs").rglob("*.md"), *Path("runtime").rglob("*.py"), Path("README.md")]
    texts = [text[at : at + 2000] for text in map(Path.read_text, files) for at in range(0, len(text), 2000)]
    count = sum(len(re.findall(r"\w+", text)) for text in texts)
    took = []
    for _ in range(3):
        began = time.process_time()
        for text in texts:
            words_of(text)
        took.append((time.process_time() - began) * 1e6 / count * 100)
    return f"`words_of`: 100 words in {took[0]:.0f} us of CPU at first, then {min(took):.0f} us ({count} words)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=200)
    options = parser.parse_args()
    print(measure.machine())
    print(_analysis_us(), end="\n\n")
    puts, searches = [], []
    with ExitStack() as stack, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(new_server(durable=True)).database()
        database = Database(PostgresSqlConfig(connection_string=SecretStr(url)))
        for name, backend in {
            "SQLite": SqliteBackend(folder / "texts.db"),
            "PostgreSQL": PostgresBackend(database),
        }.items():
            put, found = runner.run(_measured(name, backend, options.texts, options.queries))
            puts.append(put)
            searches += found
            runner.run(backend.close())
    print(measure.table(("", "ms a text", "MB", "ms of another's write meanwhile: p50 / p95 / most"), puts), end="\n\n")
    header = ("ms of a search: p50 / p95 / most", "alone", "of CPU", "while texts are put", f"p50 <= {_BUDGET_MS}")
    print(measure.table(header, searches))


if __name__ == "__main__":
    main()
