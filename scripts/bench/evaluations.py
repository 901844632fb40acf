"""What a row of an evaluation costs beside the same chat asked over HTTP, and how long an evaluation takes.

Run: `.venv/bin/python -m scripts.bench.evaluations [--rounds N] [--rows N]`. The server is `runtime.server` of this
environment, with SQLite, DuckDB and files on this disk. An evaluation counts from `run_eval` until it has ended: rows
are read, asked, kept, scored by `basic::equality`, kept again, and summed up. The mock upstream answers in another
process that does not count.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx

from scripts.bench import in_chats, load, measure, servers
from scripts.bench.gateway import CHAT, PATH
from scripts.bench.in_chats import cpu_us
from scripts.bench.servers import Server

_MODEL = "openai/burst"
_WORK = load.Work(path=PATH, body={"model": _MODEL, **CHAT})
_AT_ONCE, _POLL_S, _LIMIT_S, _ROWS_AT_ONCE = 16, 0.2, 900.0, 5000
_ROW, _HTTP = "row of an evaluation", "chat over HTTP"
_BUDGETS = {_ROW: "2.5 chats over HTTP"}
_BENCHMARKS = "/v1alpha/eval/benchmarks"


def main() -> None:
    parser = in_chats.arguments(__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    options = parser.parse_args()
    providers = {
        "datasetio": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
        "scoring": [{"provider_id": "basic", "provider_type": "inline::basic"}],
        "eval": [
            {"provider_id": "builtin", "provider_type": "inline::builtin", "config": {"max_concurrent_rows": _AT_ONCE}}
        ],
    }
    with in_chats.bench() as bench:
        ours = bench.serve({"inference": [servers.openai_provider(bench.upstream)], **providers})
        client = bench.stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{ours.port}", timeout=60))
        _register(client, options.rows)
        took_s: list[float] = []
        subjects: dict[str, Callable[[], float]] = {
            _HTTP: lambda: cpu_us(ours, 2000, _WORK, connections=_AT_ONCE),
            _ROW: lambda: _evaluation_us(ours, client, options.rows, took_s),
        }
        found = bench.compare(subjects, _BUDGETS, rounds=options.rounds, about=f"{options.rows} rows; ")
        beside = measure.ratios(found[_ROW], found[_HTTP])
        print(f"\nA row of an evaluation is {measure.spread(beside)} chats over HTTP.")
        print(f"{options.rows} rows take {measure.spread(took_s[1:], 1)} s, {_AT_ONCE} at once.")


def _register(client: httpx.Client, count: int) -> None:
    """The dataset and its benchmark."""
    rows = [{"question": f"Say {number}", "answer": "never"} for number in range(count)]
    source = {"type": "rows", "rows": rows[:_ROWS_AT_ONCE]}
    facts = {"dataset_id": "numbers", "purpose": "eval/question-answer", "source": source}
    client.post("/v1beta/datasets", json=facts).raise_for_status()
    for first in range(_ROWS_AT_ONCE, count, _ROWS_AT_ONCE):
        more = {"dataset_id": "numbers", "rows": rows[first : first + _ROWS_AT_ONCE]}
        client.post("/v1beta/datasetio/append-rows/numbers", json=more).raise_for_status()
    benchmark = {"benchmark_id": "numbers", "dataset_id": "numbers", "scoring_functions": ["basic::equality"]}
    client.post(_BENCHMARKS, json=benchmark).raise_for_status()


def _evaluation_us(server: Server, client: httpx.Client, count: int, took_s: list[float]) -> float:
    """Microseconds of the server's CPU for each row. took_s: gets how long it took."""
    began = time.perf_counter()
    cost = cpu_us(server, count, lambda: _run(client, count))
    took_s.append(time.perf_counter() - began)
    return cost


def _run(client: httpx.Client, count: int) -> None:
    """Raises RuntimeError where not every row is answered."""
    asked = {"benchmark_config": {"eval_candidate": {"type": "model", "model": _MODEL}}}
    job = client.post(f"{_BENCHMARKS}/numbers/jobs", json=asked).raise_for_status().json()
    until = time.perf_counter() + _LIMIT_S
    while job["ended_at"] is None and time.perf_counter() < until:
        time.sleep(_POLL_S)
        job = client.get(f"{_BENCHMARKS}/numbers/jobs/{job['job_id']}").raise_for_status().json()
    if job["status"] != "completed" or job["progress"] != {"rows": count, "done": count, "failed": 0}:
        raise RuntimeError(f"the evaluation is `{job['status']}`: {job['progress']} {job['error']}")


if __name__ == "__main__":
    main()
