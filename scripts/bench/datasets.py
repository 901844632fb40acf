"""What it costs to page through a dataset over HTTP, beside raw DuckDB that reads the same pages of the same file.

Run: `.venv/bin/python -m scripts.bench.datasets [--rounds N] [--rows N] [--page N]`. The file has 5 million rows of six
columns, as DuckDB writes Parquet by itself. It is registered once with `inline::localfs` in a server of this
environment. Then every page of it is asked for in order, and each answer read as bytes. Raw DuckDB is a process of its
own with the same threads and memory: a query for each page, `fetchall`, and the JSON of its rows by msgspec; where a
filter leaves rows out, with `LIMIT` and `OFFSET`, and pages of ten times the rows, since that takes it long. Seconds of
the wall, since both have threads; the most memory is the server's after the first thousand rows and in the end.
Budget: at least 0.8 times raw DuckDB's speed, in memory that does not grow with the rows.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import duckdb
import msgspec

from scripts.bench import environments, measure, servers
from scripts.bench.files import peak_mb
from scripts.bench.servers import Server

_THREADS, _MEMORY = 2, "512MB"
_ROWS = """SELECT range AS id, 'question number ' || range AS question, md5(range::VARCHAR) AS answer,
    range * 0.37 AS score, range % 3 = 0 AS is_hard, ['x' || range % 10, 'y'] AS tags FROM range({rows})"""
_NAMES = ("id", "question", "answer", "score", "is_hard", "tags")
_BUDGET = 0.8
_ALL = "true"


@dataclass(frozen=True, kw_only=True)
class _Work:
    """names: the columns of its rows. query: more of ours; where: the same for DuckDB."""

    names: tuple[str, ...] = _NAMES
    query: Mapping[str, Any] | None = None
    where: str = _ALL


_WORKS = {
    "all columns": _Work(),
    "two columns": _Work(names=("id", "answer"), query={"columns": ["id", "answer"]}),
    "rows that fit, 1 of 256": _Work(
        query={"filters": json.dumps({"type": "lt", "key": "answer", "value": "01"})}, where="answer < '01'"
    ),
    "rows that fit, 2 of 3": _Work(
        query={"filters": json.dumps({"type": "eq", "key": "is_hard", "value": False})}, where="NOT is_hard"
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--page", type=int, default=10_000)
    options = parser.parse_args()
    with environments.scratch() as folder:
        file = folder / "rows.parquet"
        measure.say(f"writing {options.rows} rows")
        duckdb.sql(f"COPY ({_ROWS.format(rows=options.rows)}) TO '{file}' (FORMAT parquet)")
        config = {"allowed_folders": [str(folder)], "threads": _THREADS, "memory_limit": _MEMORY}
        entry = {"provider_id": "localfs", "provider_type": "inline::localfs", "config": config}
        with servers.of_this_tree(folder, {"inference": [], "datasetio": [entry]}) as server:
            _compare(server, file, options)


def _compare(server: Server, file: Path, options: argparse.Namespace) -> None:
    measure.say("registering them")
    _register(server, "few", {"type": "rows", "rows": [{"id": number} for number in range(1000)]})
    _ours(server, "few", _Work(), 1000)
    memory = [peak_mb(server)]
    began = time.perf_counter()
    _register(server, "many", {"type": "uri", "uri": str(file)})
    registered_s = time.perf_counter() - began
    memory.append(peak_mb(server))
    rows = []
    for name, work in _WORKS.items():
        page = options.page if work.where == _ALL else 10 * options.page
        subjects: dict[str, Callable[[], float]] = {
            "ours": lambda work=work, page=page: _ours(server, "many", work, page),  # type: ignore[misc]
            "raw": lambda work=work, page=page: _raw(file, work, page),  # type: ignore[misc]
        }
        found = measure.interleaved(subjects, rounds=options.rounds)
        speed = measure.ratios(found["raw"], found["ours"])
        rows.append((name, measure.spread(found["ours"]), measure.spread(found["raw"]), measure.spread(speed)))
    memory.append(peak_mb(server))
    print(f"{measure.machine()}; {options.rows} rows, pages of {options.page}; {options.rounds} rounds\n")
    print(measure.table(("pages of", "ours s", "raw DuckDB s", f"times its speed (>= {_BUDGET})"), rows))
    shown = (f"{registered_s:.1f}", *(f"{size:.0f}" for size in memory))
    print("\n" + measure.table(("to register s", "most MB: 1,000 rows", "all registered", "all read"), [shown]))


def _register(server: Server, name: str, source: Mapping[str, Any]) -> None:
    """Raises RuntimeError."""
    body = {"dataset_id": name, "purpose": "eval/question-answer", "source": source}
    status, answer = server.ask("POST", "/v1beta/datasets", body, timeout_s=600)
    if status != 200:
        raise RuntimeError(f"the rows were not taken: {answer!r}")


def _ours(server: Server, name: str, work: _Work, page: int) -> float:
    """Seconds for all pages. Raises RuntimeError."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    began, start, has_more = time.perf_counter(), 0, True
    while has_more:
        query = urlencode({"start_index": start, "limit": page, **(work.query or {})}, doseq=True)
        connection.request("GET", f"/v1beta/datasetio/iterrows/{name}?{query}")
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"a page was not read: {body[:500]!r}")
        has_more = b'"has_more":true' in body[-200:]
        start += page
    taken = time.perf_counter() - began
    connection.close()
    return taken


def _raw(file: Path, work: _Work, page: int) -> float:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(raw_s, (str(file), work.names, work.where, page))


def raw_s(file: str, names: tuple[str, ...], where: str, page: int) -> float:
    """Seconds for all pages with DuckDB alone, in this process."""
    connection = duckdb.connect(config={"threads": _THREADS, "memory_limit": _MEMORY})
    connection.execute("SET enable_progress_bar = false")
    encode = msgspec.json.Encoder().encode
    selected = ", ".join(names)
    began, start = time.perf_counter(), 0
    while True:
        if where == _ALL:
            part = f"WHERE file_row_number >= {start} AND file_row_number < {start + page}"
        else:
            part = f"WHERE {where} LIMIT {page} OFFSET {start}"
        rows = connection.execute(f"SELECT {selected} FROM read_parquet('{file}') {part}").fetchall()
        encode([dict(zip(names, row, strict=True)) for row in rows])
        start += page
        if len(rows) < page:
            return time.perf_counter() - began


if __name__ == "__main__":
    main()
