"""Evaluations as the suite uses them: over HTTP, each request that must succeed checked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runtime.clock import wall_time
from runtime.conformance.asgi import Answered
from runtime.conformance.stacks import Served, adapter_of, run_config, serving
from runtime.conformance.upstream import CHAT_MODEL, Upstream
from runtime.providers.eval.builtin.adapter import BuiltinEval
from runtime.storage.jobs.records import JOBS
from runtime.storage.sql import Select
from tests.support.datasets import LISTS, rows_source, with_lists
from tests.support.scoring import LETTERS, with_letters
from tests.support.stacks import openai_at

AT = "/v1alpha/eval/benchmarks"
MODEL = f"vendor/{CHAT_MODEL}"
SAME = "letters::same"
LIMIT_S = 30.0
ENDED = ("completed", "failed", "cancelled")
Json = dict[str, Any]


def rows(count: int) -> list[Json]:
    """Questions that are answered by their number."""
    return [
        {"question": f"Say {number}", "answer": f"{number}", "category": f"{number % 2}"} for number in range(count)
    ]


def candidate(model: str = MODEL, **facts: Any) -> Json:
    return {"eval_candidate": {"type": "model", "model": model, **facts}}


@dataclass
class Repeating:
    """A vendor that answers with the last word of what it is asked. asked: each text, in order; wrong: texts that it
    answers with something else.
    """

    asked: list[str] = field(default_factory=list)
    wrong: set[str] = field(default_factory=set)
    before: Callable[[str], web.StreamResponse | None] | None = None

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET":  # the list of models
            return web.json_response({"object": "list", "data": [{"id": CHAT_MODEL, "object": "model", "created": 1}]})
        body = await request.json()
        text = body["prompt"] if "prompt" in body else body["messages"][-1]["content"]
        self.asked.append(text)
        if self.before is not None and (other := self.before(text)) is not None:
            return other
        said = "nothing" if text in self.wrong else text.split()[-1]
        choice: Json = {"index": 0, "finish_reason": "stop"}
        choice |= {"text": said} if "prompt" in body else {"message": {"role": "assistant", "content": said}}
        return web.json_response(
            {"id": "c-1", "created": int(wall_time()), "model": body["model"], "choices": [choice]}
        )

    @property
    def times(self) -> Counter[str]:
        return Counter(self.asked)


class Held(Repeating):
    """Answers so many, and holds the others."""

    def __init__(self, free: int) -> None:
        super().__init__()
        self._free = asyncio.Semaphore(free)
        self._changed = asyncio.Event()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        answer = await super().__call__(request)
        if request.method == "POST":
            self._changed.set()
            await self._free.acquire()
        return answer

    def let(self) -> None:
        for _ in range(1000):
            self._free.release()

    async def until(self, count: int) -> None:
        """Return when so many were asked."""
        async with asyncio.timeout(LIMIT_S):
            while len(self.asked) < count:
                self._changed.clear()
                await self._changed.wait()


@dataclass(frozen=True)
class Asking:
    """A stack with evaluations. vendor: what its models are asked."""

    served: Served
    vendor: Upstream

    @property
    def adapter(self) -> BuiltinEval:
        found: BuiltinEval = adapter_of(self.served.stack, "eval")
        return found

    async def ask(self, method: str, path: str, body: Any = None, **facts: Any) -> Answered:
        return await self.served.client.request(method, path, json=body, **facts)

    async def done(self, method: str, path: str, body: Any = None, **facts: Any) -> Any:
        answered = await self.ask(method, path, body, **facts)
        assert answered.status == 200, (answered.status, answered.body[:2000])
        return answered.json()

    async def refused(self, status: int, path: str, body: Any = None, *, method: str = "POST") -> Json:
        answered = await self.ask(method, path, body)
        assert answered.status == status, (answered.status, answered.body[:2000])
        return answered.error

    async def benchmark(self, name: str, given: list[Json], *functions: str) -> str:
        """A benchmark of these rows, and its dataset; its path."""
        dataset = {"dataset_id": name, "purpose": "eval/question-answer", "source": rows_source(*given)}
        await self.done("POST", "/v1beta/datasets", dataset)
        asked = {"benchmark_id": name, "dataset_id": name, "scoring_functions": list(functions) or [SAME]}
        await self.done("POST", AT, asked)
        return f"{AT}/{name}"

    async def run(self, path: str, config: Json | None = None, **facts: Any) -> Json:
        """A new run of a benchmark."""
        found: Json = await self.done("POST", f"{path}/jobs", {"benchmark_config": config or candidate(), **facts})
        return found

    async def job(self, job: Json) -> Json:
        found: Json = await self.done("GET", self.path(job))
        return found

    async def ended(self, job: Json) -> Json:
        """The run, once it has ended."""
        async with asyncio.timeout(LIMIT_S):
            while (found := await self.job(job))["ended_at"] is None:
                await asyncio.sleep(0.005)
        return found

    async def completed(self, path: str, config: Json | None = None) -> Json:
        """A run that begins now and is completed when this returns."""
        found = await self.ended(await self.run(path, config))
        assert found["status"] == "completed", found
        return found

    async def settled(self) -> None:
        """Return when no job is left."""
        async with asyncio.timeout(LIMIT_S):
            while await self.served.stack._jobs.store.select(Select(JOBS)):
                await asyncio.sleep(0.005)

    async def result(self, job: Json) -> Json:
        found: Json = await self.done("GET", f"{self.path(job)}/result")
        return found

    def path(self, job: Json) -> str:
        return f"{AT}/{job['benchmark_id']}/jobs/{job['job_id']}"


@asynccontextmanager
async def asking_at(
    vendor: Upstream, folder: Path, monkeypatch: pytest.MonkeyPatch, *, config: Json | None = None, **sections: Any
) -> AsyncIterator[Asking]:
    """A stack at a vendor. config: the settings of the evaluations."""
    with_lists(monkeypatch)
    with_letters(monkeypatch)
    providers: Json = {
        "inference": [openai_at(vendor.url)],
        "datasetio": [LISTS],
        "scoring": [LETTERS],
        "eval": [{"provider_id": "builtin", "provider_type": "inline::meta-reference", "config": config or {}}],
        **sections.pop("providers", {}),
    }
    async with serving(run_config(providers=providers, **sections), folder) as served:
        yield Asking(served, vendor)
