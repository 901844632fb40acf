"""What every provider of evaluations promises (`runtime/apis/eval`), asked at the server's door."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from runtime.access import User
from runtime.apis.eval.job import JobRequest, ListJobsRequest, RunEvalRequest
from runtime.conformance.abilities import needs
from runtime.conformance.eval.subject import AT, NAME, Evaluating, Run, Subject
from runtime.conformance.stacks import serving
from runtime.context import RequestContext
from runtime.context import serving as in_name_of
from runtime.errors import NotFound

pytestmark = pytest.mark.asyncio

ADA, EVE = User(principal="ada"), User(principal="eve")
AT_ONCE = 4


async def test_a_benchmark_is_there_until_it_is_forgotten(evaluating: Evaluating) -> None:
    shown = await evaluating.done("GET", f"{AT}/{NAME}")
    assert shown["identifier"] == NAME
    assert shown in (await evaluating.done("GET", AT))["data"]
    assert (await evaluating.ask("DELETE", f"{AT}/{NAME}")).status == 204
    assert (await evaluating.ask("GET", f"{AT}/{NAME}")).status == 404
    await evaluating.register()
    assert await evaluating.done("GET", f"{AT}/{NAME}") == shown


async def test_a_benchmark_that_is_registered_again_is_run(evaluating: Evaluating) -> None:
    await evaluating.register()
    await evaluating.completed()


@needs("refuses")
async def test_a_benchmark_that_it_cannot_run_is_not_registered(evaluating: Evaluating) -> None:
    answer = await evaluating.ask("POST", AT, {"benchmark_id": "wrong", **(evaluating.subject.wrong or {})})
    assert answer.status in (400, 404) and answer.error["param"], answer.body
    assert (await evaluating.ask("GET", f"{AT}/wrong")).status == 404


async def test_an_unknown_benchmark_is_not_found_and_close_ones_are_named(evaluating: Evaluating) -> None:
    answer = await evaluating.begin("hold")
    assert answer.status == 404 and f"`{NAME}`" in answer.error["message"]


async def test_a_run_ends_and_says_what_came_of_it(evaluating: Evaluating) -> None:
    run = await evaluating.completed()
    job = await evaluating.job(run)
    assert job["benchmark_config"]["eval_candidate"]["model"] == evaluating.subject.candidate["model"]
    assert 0 < job["created_at"] <= job["ended_at"]
    result = await evaluating.result(run)
    assert result["scores"]
    for said in result["scores"].values():
        assert said["aggregated_results"] or said["score_rows"], said
        assert len(said["score_rows"]) in (0, len(result["generations"]))


async def test_what_came_of_a_run_stays_the_same(evaluating: Evaluating) -> None:
    run = await evaluating.completed()
    job, result = await evaluating.job(run), await evaluating.result(run)
    await evaluating.completed()
    assert (await evaluating.job(run), await evaluating.result(run)) == (job, result)


async def test_runs_are_listed_the_newest_first_a_page_at_a_time(evaluating: Evaluating) -> None:
    assert (await evaluating.listed())["data"] == []
    runs = [(await evaluating.completed()).job_id for _ in range(3)]
    every = await evaluating.listed()
    assert [job["job_id"] for job in every["data"]] == runs[::-1] and not every["has_more"]
    first = await evaluating.listed("?limit=2")
    assert first["data"] == every["data"][:2] and first["has_more"]
    rest = await evaluating.listed(f"?limit=2&after={first['last_id']}")
    assert rest["data"] == every["data"][2:] and not rest["has_more"]


async def test_runs_at_once_each_end(evaluating: Evaluating) -> None:
    runs = await asyncio.gather(*(evaluating.run() for _ in range(AT_ONCE)))
    assert len({run.job_id for run in runs}) == AT_ONCE
    for run in runs:
        assert (await evaluating.ended(run))["status"] == "completed"


async def test_a_run_is_found_under_its_own_benchmark_alone(evaluating: Evaluating) -> None:
    await evaluating.register("other")
    run = await evaluating.completed()
    unknown = [Run(benchmark="other", job_id=run.job_id), Run(benchmark=NAME, job_id="job_of_nobody")]
    for one in unknown:
        for method, path in (("GET", one.path), ("DELETE", one.path), ("GET", f"{one.path}/result")):
            answer = await evaluating.ask(method, path)
            assert (answer.status, answer.error["param"]) == (404, "job_id"), (method, path, answer.body)
    assert (await evaluating.done("GET", f"{AT}/other/jobs"))["data"] == []


async def test_others_do_not_see_a_run(evaluating: Evaluating) -> None:
    api = evaluating.served.stack.api("eval")

    async def call(user: User, method: str, request: Any) -> Any:
        with in_name_of(RequestContext(user=user)):
            return await getattr(api, method)(request)

    asked = RunEvalRequest.model_validate({"benchmark_id": NAME, "benchmark_config": evaluating.subject.config})
    one = JobRequest(benchmark_id=NAME, job_id=(await call(ADA, "run_eval", asked)).job_id)
    for method in ("job_status", "job_cancel", "job_result"):
        with pytest.raises(NotFound):
            await call(EVE, method, one)
    assert (await call(EVE, "list_jobs", ListJobsRequest(benchmark_id=NAME))).data == []
    [listed] = (await call(ADA, "list_jobs", ListJobsRequest(benchmark_id=NAME))).data
    assert listed.job_id == (await call(ADA, "job_status", one)).job_id == one.job_id


@needs("holds")
async def test_what_has_not_ended_has_no_result_and_can_be_cancelled_once(evaluating: Evaluating) -> None:
    hold, let = evaluating.subject.hold, evaluating.subject.let
    assert hold is not None and let is not None
    hold()
    run = await evaluating.run()
    job = await evaluating.job(run)
    assert job["status"] in ("scheduled", "in_progress") and job["ended_at"] is None
    early = await evaluating.ask("GET", f"{run.path}/result")
    assert early.status == 409 and f"`{run.job_id}`" in early.error["message"]
    assert (await evaluating.ask("DELETE", run.path)).status == 204
    let()
    ended = await evaluating.ended(run)
    assert ended["status"] == "cancelled"
    again = await evaluating.ask("DELETE", run.path)
    assert (again.status, again.error["param"]) == (409, "job_id") and "cancelled" in again.error["message"]
    assert await evaluating.job(run) == ended


async def test_what_has_ended_cannot_be_cancelled(evaluating: Evaluating) -> None:
    run = await evaluating.completed()
    answer = await evaluating.ask("DELETE", run.path)
    assert (answer.status, answer.error["param"]) == (409, "job_id")
    assert (await evaluating.job(run))["status"] == "completed"


async def test_runs_and_benchmarks_are_there_after_a_restart(
    evaluating: Evaluating, subject: Subject, tmp_path: Path
) -> None:
    run = await evaluating.completed()
    job, result = await evaluating.job(run), await evaluating.result(run)
    shown = await evaluating.done("GET", f"{AT}/{NAME}")
    await evaluating.served.stack.close()
    async with serving(subject.run_config, tmp_path / "state", specs=subject.specs) as served:
        again = Evaluating(served, subject)
        assert await again.done("GET", f"{AT}/{NAME}") == shown
        assert (await again.job(run), await again.result(run)) == (job, result)
        assert (await again.listed())["data"] == [job]
        await again.completed()


@needs("holds")
async def test_what_runs_goes_on_after_a_restart(evaluating: Evaluating, subject: Subject, tmp_path: Path) -> None:
    assert subject.hold is not None and subject.let is not None
    subject.hold()
    run = await evaluating.run()
    await evaluating.served.stack.close()
    subject.let()
    async with serving(subject.run_config, tmp_path / "state", specs=subject.specs) as served:
        again = Evaluating(served, subject)
        assert (await again.ended(run))["status"] == "completed"
        assert (await again.result(run))["scores"]


async def test_its_health_is_told_without_its_key(evaluating: Evaluating) -> None:
    provider_id = (await evaluating.done("GET", f"{AT}/{NAME}"))["provider_id"]
    providers = await evaluating.ask("GET", "/v1/providers")
    [found] = [one for one in providers.json()["data"] if (one["api"], one["provider_id"]) == ("eval", provider_id)]
    assert found["health"]["status"] != "Error", found["health"]
    if secret := evaluating.subject.secret:
        assert secret.encode() not in providers.body


@needs("fails")
async def test_what_it_calls_in_vain_is_told_without_its_key(evaluating: Evaluating) -> None:
    """Either the run is refused, or it says what was in vain; it never has scores."""
    subject = evaluating.subject
    assert subject.fail is not None and subject.secret
    subject.fail()
    begun = await evaluating.begin()
    bodies = [begun.body]
    if begun.status == 200:
        run = Run(benchmark=NAME, job_id=begun.json()["job_id"])
        ended = await evaluating.ended(run)
        assert ended["status"] == "failed" or ended["progress"]["failed"] == ended["progress"]["rows"], ended
        bodies += [(await evaluating.ask("GET", f"{run.path}{part}")).body for part in ("", "/result", "/rows")]
    else:
        assert begun.status in (502, 503, 504) and begun.error["message"], begun.body
    assert not any(subject.secret.encode() in body for body in bodies)
