"""Evaluations of a running stack: benchmarks, and runs of them, which go on in the background.

Knows the routes of datasets, benchmarks and `eval`, not what a suite is or how a run is shown. Prints nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from llama_cli.asking import ask, passing
from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal.progress import working
from runtime.similar import names_for

Json = dict[str, Any]

SUITES = "eval-"
"""How the benchmark of a suite is called, before the suite's name."""
_DATASETS, _BENCHMARKS = "/v1beta/datasets", "/v1alpha/eval/benchmarks"
_POLL_S, _SEND_S = 0.5, 600.0
_PAGE = 1000
_ENDED = ("completed", "failed", "cancelled")


def register(url: str, dataset: Mapping[str, Any] | None, benchmark: Mapping[str, Any]) -> None:
    """Let the server have a benchmark, with its rows where they are not there yet; the same rows are no new version.

    Raises Failure as `ask.request` does, and USAGE for a function that is not there.
    """
    with _typed("what it names is not there"), working("sending the cases"):
        if dataset is not None:
            _post(url, _DATASETS, dataset)
        _post(url, _BENCHMARKS, benchmark)


def start(url: str, benchmark_id: str, config: Mapping[str, Any]) -> Json:
    """A new run. Raises Failure as `ask.request` does, and USAGE for what is named and not there."""
    with _typed("`llama models` lists the models"), working(f"starting {benchmark_id}"):
        return _post(url, _path(benchmark_id), {"benchmark_id": benchmark_id, "benchmark_config": config})


def ended(url: str, job: Json, *, timeout_s: float | None) -> Json:
    """A run once nothing more becomes of it. Raises Failure as `ask.get` does, and TIMEOUT."""
    until = None if timeout_s is None else time.monotonic() + timeout_s
    with working(f"evaluating {job['benchmark_id']}") as step:
        while job["status"] not in _ENDED:
            progress = job.get("progress") or {}
            step.total, step.done = progress.get("rows"), progress.get("done") or 0
            if progress.get("failed"):
                step.detail = f"{progress['failed']} failed"
            if until is not None and time.monotonic() >= until:
                hint = f"it goes on; ask again with `llama stack eval show {job['job_id']}`"
                raise Failure(f"the run `{job['job_id']}` is still {job['status']}", hint=hint, code=ExitCode.TIMEOUT)
            time.sleep(_POLL_S)
            job = ask.get(url, _path(job["benchmark_id"], job["job_id"]))
    return job


def benchmarks(url: str) -> list[str]:
    """The ids of all benchmarks. Raises Failure as `ask.get` does."""
    return [one["identifier"] for one in ask.listed(url, _BENCHMARKS, by="identifier")]


def benchmark(url: str, benchmark_id: str) -> Json:
    """What it is. Raises Failure as `ask.get` does."""
    found: Json = ask.get(url, f"{_BENCHMARKS}/{quote(benchmark_id, safe='')}")
    return found


def columns(url: str, dataset_id: str) -> list[str]:
    """Those of a dataset's first row. Raises Failure as `ask.get` does."""
    page = ask.get(url, f"/v1beta/datasetio/iterrows/{quote(dataset_id)}?limit=1", timeout_s=_SEND_S)
    return [*next(iter(page["data"]), {})]


def runs(url: str, benchmark_id: str | None = None) -> list[Json]:
    """The runs of a benchmark, or of all of them, the newest first. Raises Failure as `ask.get` does, and USAGE for a
    benchmark that is not there.
    """
    found: list[Json] = []
    with _typed("`llama stack eval ls` lists the runs of all benchmarks"):
        for one in benchmarks(url) if benchmark_id is None else [benchmark_id]:
            asked = passing.Asked(url=url, method="GET", path=f"{_path(one)}?limit=100")
            found += passing.all_pages(asked)["data"]
    return sorted(found, key=lambda job: job.get("created_at") or 0, reverse=True)


def run(url: str, run_id: str) -> Json:
    """A run as it is, by its id, whatever benchmark it is of. Raises Failure as `ask.get` does, and USAGE where there
    is none.
    """
    for benchmark_id in benchmarks(url):
        try:
            found: Json = ask.get(url, _path(benchmark_id, run_id))
        except ask.Refusal as refused:
            if refused.status != 404:
                raise
        else:
            return found
    raise Failure(f"there is no run `{run_id}`", hint="`llama stack eval ls` lists them", code=ExitCode.USAGE)


def newest(url: str, benchmark_id: str | None = None, *, but: str | None = None) -> Json | None:
    """The newest run that is complete, of a benchmark or of all; None where there is none. but: a run that is not
    meant. Raises Failure as `ask.get` does.
    """
    if benchmark_id is not None and benchmark_id not in benchmarks(url):
        return None
    fitting = (job for job in runs(url, benchmark_id) if job["status"] == "completed" and job["job_id"] != but)
    return next(fitting, None)


def rows(url: str, job: Json) -> list[Json]:
    """The rows of a run, with answers and scores. Raises Failure as `ask.get` does."""
    found: list[Json] = []
    total = (job.get("progress") or {}).get("rows")
    with working("reading the answers", total=total) as step:
        while True:
            path = f"{_path(job['benchmark_id'], job['job_id'])}/rows?start_index={len(found)}&limit={_PAGE}"
            page = ask.get(url, path, timeout_s=_SEND_S)
            found += page["data"]
            step.done = len(found)
            if not page["has_more"] or not page["data"]:
                return found


def cancel(url: str, job: Json) -> Json:
    """A run that is given up, as it is then. Raises Failure as `ask.asked` does: CONFLICT for one that has ended."""
    path = _path(job["benchmark_id"], job["job_id"])
    with ask.asked(url, path, method="DELETE", timeout_s=_SEND_S) as reply:
        if reply.status // 100 != 2:
            raise ask.refusal(reply, reply.read())
    cancelled: Json = ask.get(url, path)
    return cancelled


def benchmark_of(url: str, name: str) -> str:
    """The id of the benchmark that a name means: its own, or that of a suite. Raises Failure as `ask.get` does, and
    USAGE where there is none.
    """
    known = benchmarks(url)
    found = next((one for one in (name, f"{SUITES}{name}") if one in known), None)
    if found is None:
        hint = names_for(name, known) or "`llama stack eval run SUITE` makes one"
        raise Failure(f"there is no benchmark `{name}`", hint=hint, code=ExitCode.USAGE)
    return found


def row_of(job: Json) -> Json:
    """What is shown of a run in a list."""
    progress = job.get("progress") or {}
    candidate = (job.get("benchmark_config") or {}).get("eval_candidate") or {}
    return {
        "id": job["job_id"],
        "benchmark_id": job.get("benchmark_id"),
        "status": job["status"],
        "model": candidate.get("model") or (candidate.get("config") or {}).get("model"),
        "scoring_functions": job.get("scoring_functions") or [],
        "total": progress.get("rows"),
        "done": progress.get("done"),
        "failed": progress.get("failed"),
        "created_at": time_of(job.get("created_at")),
        "ended_at": time_of(job.get("ended_at")),
        "error": job.get("error"),
    }


def time_of(seconds: int | None) -> str | None:
    """Seconds since 1970 -> ISO 8601 in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def _path(benchmark_id: str, run_id: str | None = None) -> str:
    path = f"{_BENCHMARKS}/{quote(benchmark_id, safe='')}/jobs"
    return path if run_id is None else f"{path}/{quote(run_id, safe='')}"


def _post(url: str, path: str, body: Mapping[str, Any]) -> Json:
    with ask.request(url, path, body, timeout_s=_SEND_S) as reply:
        answer: Json = reply.json()
        return answer


@contextmanager
def _typed(hint: str) -> Iterator[None]:
    """What a suite or an option names and the server does not know is an unknown name. A server without the routes says
    so of no field.
    """
    try:
        yield
    except ask.Refusal as refused:
        if refused.status == 404 and refused.param is not None:
            refused.code, refused.hint = ExitCode.USAGE, refused.hint or hint
        elif refused.status == 404:
            refused.hint = "has its run config the APIs `datasetio`, `scoring` and `eval`? `llama stack status` says"
        raise
