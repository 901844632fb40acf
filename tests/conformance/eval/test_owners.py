"""A run is its creator's: others do not see it, and what it asks is asked in its creator's name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.access import Caller, User
from runtime.apis.benchmarks.protocol import RegisterBenchmarkRequest
from runtime.apis.datasets.protocol import RegisterDatasetRequest
from runtime.apis.eval.job import Job, JobRequest, ListJobsRequest, RunEvalRequest
from runtime.apis.eval.results import CompareJobsRequest, JobRowsRequest
from runtime.conformance.upstream import Upstream, upstream_server
from runtime.context import RequestContext, serving
from runtime.errors import NotFound
from runtime.providers.eval._shared.tables import ROWS, RUNS
from runtime.storage.sql import Select
from runtime.storage.sql.ageing import remove_older
from tests.conformance.eval.asking import LIMIT_S, SAME, Asking, Repeating, asking_at, candidate, rows
from tests.support.datasets import rows_source

ADA, EVE = User(principal="ada", attributes={"teams": ("red",)}), User(principal="eve")
CARL = User(principal="carl", attributes={"teams": ("red",)})
NAME = {"benchmark_id": "shared"}


@pytest_asyncio.fixture
async def vendor() -> AsyncIterator[Upstream]:
    async with upstream_server() as found:
        yield found


@pytest_asyncio.fixture
async def asking(vendor: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Asking]:
    async with asking_at(vendor, tmp_path, monkeypatch) as found:
        vendor.misbehaves = Repeating()
        yield found


class Acting:
    """Calls the APIs in a user's name. provider_data: sent with each call."""

    def __init__(self, asking: Asking, user: Caller, **provider_data: str) -> None:
        self._stack = asking.served.stack
        self._context = {"user": user, "provider_data": provider_data}

    async def call(self, api: str, method: str, request: Any) -> Any:
        with serving(RequestContext(**self._context)):
            return await getattr(self._stack.api(api), method)(request)

    async def run(self) -> Job:
        """A run that has ended."""
        asked = RunEvalRequest.model_validate({**NAME, "benchmark_config": candidate()})
        job: Job = await self.call("eval", "run_eval", asked)
        async with asyncio.timeout(LIMIT_S):
            while job.ended_at is None:
                await asyncio.sleep(0.005)
                job = await self.call("eval", "job_status", JobRequest(**NAME, job_id=job.job_id))
        return job

    async def listed(self) -> list[str]:
        return [one.job_id for one in (await self.call("eval", "list_jobs", ListJobsRequest(**NAME))).data]

    async def dataset(self, name: str, source: Any) -> None:
        facts = {"dataset_id": name, "purpose": "eval/question-answer", "source": source}
        await self.call("datasets", "register_dataset", RegisterDatasetRequest.model_validate(facts))


async def test_others_do_not_see_it(asking: Asking) -> None:
    await asking.benchmark("shared", rows(2))
    ada, eve, carl = (Acting(asking, user) for user in (ADA, EVE, CARL))
    job = await ada.run()
    assert job.status == "completed"
    one: dict[str, Any] = {**NAME, "job_id": job.job_id}
    for method, request in (
        ("job_status", JobRequest(**one)),
        ("job_cancel", JobRequest(**one)),
        ("job_result", JobRequest(**one)),
        ("job_rows", JobRowsRequest(**one)),
        ("compare_jobs", CompareJobsRequest(**one, baseline="job_x")),
    ):
        with pytest.raises(NotFound):
            await eve.call("eval", method, request)
    own = await eve.run()
    with pytest.raises(NotFound) as raised:
        await eve.call("eval", "compare_jobs", CompareJobsRequest(**NAME, job_id=own.job_id, baseline=job.job_id))
    assert raised.value.param == "baseline"
    assert (await ada.listed(), await carl.listed(), await eve.listed()) == ([job.job_id], [job.job_id], [own.job_id])
    assert len((await carl.call("eval", "job_result", JobRequest(**one))).generations) == 2, (
        "who shares a group sees it"
    )


async def test_a_dataset_of_another_user_is_not_found(asking: Asking) -> None:
    ada, eve = Acting(asking, ADA), Acting(asking, EVE)
    await ada.dataset("of-ada", rows_source(*rows(2)))
    benchmark = RegisterBenchmarkRequest(**NAME, dataset_id="of-ada", scoring_functions=[SAME])
    await asking.done("POST", "/v1alpha/eval/benchmarks", benchmark.model_dump(mode="json", exclude_unset=True))
    with pytest.raises(NotFound) as raised:
        await eve.run()
    assert raised.value.param == "dataset_id" and "of-ada" in raised.value.message
    assert (await ada.run()).progress.done == 2  # type: ignore[union-attr]  # it has some


async def test_the_keys_of_its_creator_are_sent_with_each_row_and_are_on_no_disk(
    asking: Asking, vendor: Upstream, tmp_path: Path
) -> None:
    await asking.benchmark("shared", rows(3))
    await Acting(asking, ADA, openai_api_key="sk-of-ada").run()
    sent = [one.headers["authorization"] for one in vendor.calls("/chat/completions")]
    assert sent == ["Bearer sk-of-ada"] * 3
    await asking.settled()
    assert not any(b"sk-of-ada" in one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())
    assert asking.adapter._callers == {}


async def test_runs_that_are_too_old_go_with_their_rows(vendor: Upstream, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patches:
        async with asking_at(vendor, tmp_path, patches, storage={"retention": {"evaluations": "30d"}}) as asking:
            vendor.misbehaves = Repeating()
            await asking.benchmark("shared", rows(2))
            ended = await asking.completed("/v1alpha/eval/benchmarks/shared")
            await asking.settled()
            store = asking.adapter._store
            assert [one async for one in remove_older(store, RUNS, ended["ended_at"] + 1, ended["ended_at"] + 1)] == [1]
            assert await store.select(Select(ROWS)) == await store.select(Select(RUNS)) == []
            await asking.refused(404, asking.path(ended), method="GET")
