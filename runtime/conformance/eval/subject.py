"""A provider of evaluations as the suite sees it, and what the suite asks of any: over HTTP, each answer that must be a
success checked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.config.run_config import RunConfig
from runtime.conformance.asgi import Answered
from runtime.conformance.stacks import Served
from runtime.spec import Spec

AT = "/v1alpha/eval/benchmarks"
NAME = "held"
LIMIT_S = 30.0
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """run_config: of a stack with one provider of `eval`, and what that needs; with `persistent=True`. specs: of one
    that is not built in. benchmark: what is said to register one, beside its id. candidate: what is evaluated, a model.
    secret: the provider's key, which it may show nobody; empty where it has none.

    What a subject's `Kind` may claim: `rows`, tells rows of a run with answers and scores, and compares runs by them;
    `given`, evaluates rows of a request; `refuses`, there is a benchmark that it cannot run; `holds`, `hold` and `let`
    can be done; `fails`, `fail` can be.

    rows: those of the benchmark, in order; functions: the scoring functions; of `rows` and `given`. wrong: what is said
    to register a benchmark that it cannot run. hold: until `let`, no run ends that begins now. fail: from now on, what
    it calls answers with an error that quotes the key.
    """

    run_config: RunConfig
    benchmark: Mapping[str, Any]
    candidate: Mapping[str, Any]
    specs: Sequence[Spec] = ()
    secret: str = ""
    rows: Sequence[Mapping[str, Any]] = ()
    functions: Sequence[str] = ()
    wrong: Mapping[str, Any] | None = None
    hold: Callable[[], None] | None = None
    let: Callable[[], None] | None = None
    fail: Callable[[], None] | None = None

    @property
    def config(self) -> Json:
        """How a benchmark is run."""
        return {"eval_candidate": dict(self.candidate)}


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run by its ids. benchmark: the benchmark's."""

    benchmark: str
    job_id: str

    @property
    def path(self) -> str:
        return f"{AT}/{self.benchmark}/jobs/{self.job_id}"


class Evaluating:
    """A stack with a subject."""

    def __init__(self, served: Served, subject: Subject) -> None:
        self.served = served
        self.subject = subject

    async def ask(self, method: str, path: str, body: Any = None) -> Answered:
        return await self.served.client.request(method, path, json=body)

    async def done(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.ask(method, path, body)
        assert answer.status == 200, (answer.status, answer.body[:2000])
        return answer.json()

    async def register(self, name: str = NAME) -> None:
        await self.done("POST", AT, {"benchmark_id": name, **self.subject.benchmark})

    async def begin(self, name: str = NAME) -> Answered:
        return await self.ask("POST", f"{AT}/{name}/jobs", {"benchmark_config": self.subject.config})

    async def run(self, name: str = NAME) -> Run:
        """A new one."""
        answer = await self.begin(name)
        assert answer.status == 200, (answer.status, answer.body[:2000])
        job = answer.json()
        assert job["benchmark_id"] == name and job["status"] in ("scheduled", "in_progress", "completed"), job
        return Run(benchmark=name, job_id=job["job_id"])

    async def job(self, run: Run) -> Json:
        found: Json = await self.done("GET", run.path)
        assert (found["job_id"], found["benchmark_id"]) == (run.job_id, run.benchmark)
        return found

    async def ended(self, run: Run) -> Json:
        """The run, once it has ended."""
        async with asyncio.timeout(LIMIT_S):
            while (found := await self.job(run))["ended_at"] is None:
                assert found["status"] not in ("completed", "failed"), found
                await asyncio.sleep(0.01)
        return found

    async def completed(self, name: str = NAME) -> Run:
        """One that begins now, and is completed when this returns."""
        run = await self.run(name)
        found = await self.ended(run)
        assert (found["status"], found["error"]) == ("completed", None), found
        return run

    async def result(self, run: Run) -> Json:
        found: Json = await self.done("GET", f"{run.path}/result")
        return found

    async def listed(self, query: str = "") -> Json:
        """A page of the runs of the benchmark."""
        found: Json = await self.done("GET", f"{AT}/{NAME}/jobs{query}")
        return found
