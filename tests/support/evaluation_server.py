"""A server of evaluations as `runtime/apis/eval` documents them, at whose jobs a test says what is answered.

It stands in for the real one where a test is about what the command line makes of runs: those that fail, that have
errors, that are worse than others. `tests/processes/cli/test_eval.py` asks a real one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.small_server import SmallHandler, running, url_of

Json = dict[str, Any]
AT = "/v1alpha/eval/benchmarks"
_PAGE = 2
"""Rows of a page, so that few rows are several pages."""


def row(
    index: int,
    score: float | str | None = 1.0,
    *,
    answer: str | None = "Paris",
    error: str | None = None,
    function: str = "basic::equality",
    **columns: Any,
) -> Json:
    """A row of a run as the server shows it. error: why it has no answer, or no score where it has one."""
    generation: Json = {"generated_answer": answer} | ({"error": error} if answer is None else {})
    scored: Json = {"score": score} | ({"error": error or "none"} if score is None else {})
    asked = {"question": f"Question {index}?", "answer": "Paris"}
    return {
        "index": index,
        "row": asked | columns,
        "generation": generation,
        "scores": {function: scored} if answer is not None else {},
    }


@dataclass
class Evaluations:
    """url: its address. seen: each POST and DELETE with its body. upcoming, outcome: of the next run. polls: how often
    a run is asked for before it has ended. kept: what lists of completions and responses have, the newest first; asked:
    with which queries. refuses: paths, each with a status and an error.
    """

    url: str = ""
    seen: list[tuple[str, Any]] = field(default_factory=list)
    benchmarks: dict[str, Json] = field(default_factory=dict)
    jobs: dict[str, Json] = field(default_factory=dict)
    rows: dict[str, Sequence[Json]] = field(default_factory=dict)
    upcoming: Sequence[Json] = ()
    outcome: str = "completed"
    polls: int = 1
    version: str = "sha256:0123456789abcdef"
    kept: Sequence[Json] = ()
    asked: list[Mapping[str, list[str]]] = field(default_factory=list)
    looks: Counter[str] = field(default_factory=Counter)
    refuses: Mapping[str, tuple[int, Json]] = field(default_factory=dict)

    def run(self, *rows: Json, model: str = "small", benchmark: str = "eval-capitals", **facts: Any) -> str:
        """A run that was there before; its id."""
        self.benchmarks.setdefault(benchmark, {"scoring_functions": list(rows[0]["scores"])})
        return str(self._add(benchmark, {"eval_candidate": {"type": "model", "model": model}}, rows, facts)["job_id"])

    def _add(self, benchmark: str, config: Json, rows: Sequence[Json], facts: Json) -> Json:
        job_id = f"evaljob-{len(self.jobs) + 1}"
        self.rows[job_id] = rows
        self.jobs[job_id] = {
            "job_id": job_id,
            "status": "completed",
            "benchmark_id": benchmark,
            "dataset_id": benchmark,
            "dataset_version": self.version,
            "scoring_functions": self.benchmarks[benchmark]["scoring_functions"],
            "benchmark_config": config,
            "progress": {"rows": len(rows), "done": len(rows), "failed": 0},
            "error": None,
            "created_at": 1_800_000_000 + len(self.jobs),
            "ended_at": 1_800_000_060,
        } | facts
        return self.jobs[job_id]

    def answer(self, method: str, path: str, query: Mapping[str, list[str]], body: Any) -> tuple[int, Any]:
        if path in self.refuses:
            status, error = self.refuses[path]
            return status, {"error": {"type": "invalid_request_error", "param": None, "code": None, **error}}
        if method != "GET":
            self.seen.append((f"{method} {path}", body))
        if path in ("/v1/chat/completions", "/v1/responses"):
            self.asked.append(query)
            found = self._page([one["id"] for one in self.kept], query)
            kept = [one for one in self.kept if one["id"] in found]
            has_more = bool(kept) and kept[-1] is not self.kept[-1]
            return 200, {"data": kept, "has_more": has_more, "last_id": kept[-1]["id"] if kept else None}
        if path.startswith("/v1beta/datasetio/iterrows/"):
            return 200, {"data": [one["row"] for one in self.upcoming[:1]], "has_more": len(self.upcoming) > 1}
        if path == "/v1beta/datasets":
            return 200, {"identifier": body["dataset_id"]}
        if path == AT and method == "POST":
            self.benchmarks[body["benchmark_id"]] = body
            return 200, {"identifier": body["benchmark_id"]}
        if path == AT:
            return 200, {"data": [{"identifier": name} for name in self.benchmarks]}
        benchmark, in_jobs, rest = path.removeprefix(f"{AT}/").partition("/jobs")
        if not in_jobs:
            return 200, {"identifier": benchmark, "dataset_id": benchmark, **self.benchmarks[benchmark]}
        job_id, _, what = rest.strip("/").partition("/")
        if not job_id and method == "POST":
            unfinished = {"status": "scheduled", "ended_at": None, "progress": None}
            return 200, self._add(benchmark, body["benchmark_config"], self.upcoming, unfinished)
        if not job_id:
            jobs = [job for job in self.jobs.values() if job["benchmark_id"] == benchmark]
            return 200, {"data": jobs[::-1], "has_more": False, "last_id": jobs[0]["job_id"] if jobs else None}
        job = self.jobs.get(job_id)
        if job is None or job["benchmark_id"] != benchmark:
            error = {"message": "there is no such job", "type": "t", "param": "job_id", "code": "not_found"}
            return 404, {"error": error}
        if what == "rows":
            start = int(query["start_index"][0])
            rows = self.rows[job_id][start : start + _PAGE]
            return 200, {"data": rows, "has_more": start + len(rows) < len(self.rows[job_id])}
        if method == "DELETE":
            job |= {"status": "cancelled", "ended_at": 1_800_000_060}
            return 204, None
        if job["ended_at"] is None:
            self._advance(job)
        return 200, job

    def _advance(self, job: Json) -> None:
        self.looks[job["job_id"]] += 1
        looks, count = self.looks[job["job_id"]], len(self.rows[job["job_id"]])
        job |= {"status": "in_progress", "progress": {"rows": count, "done": min(looks, count), "failed": 0}}
        if looks > self.polls:
            job |= {"status": self.outcome, "ended_at": 1_800_000_060}
            job["error"] = "it could not go on" if self.outcome == "failed" else None

    @staticmethod
    def _page(ids: list[str], query: Mapping[str, list[str]]) -> list[str]:
        start = ids.index(query["after"][0]) + 1 if "after" in query else 0
        return ids[start : start + _PAGE]


class _Handler(SmallHandler):
    server: _Server

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def _answer(self, method: str) -> None:
        asked = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        status, document = self.server.evaluations.answer(
            method, unquote(asked.path), parse_qs(asked.query), json.loads(body or b"null")
        )
        if document is None:
            self.answer(b"", status=status)
        else:
            self.document(document, status=status)


class _Server(ThreadingHTTPServer):
    evaluations: Evaluations


@contextmanager
def evaluation_server() -> Iterator[Evaluations]:
    server = _Server(("127.0.0.1", 0), _Handler)
    with running(server):
        server.evaluations = Evaluations(url=url_of(server))
        yield server.evaluations
