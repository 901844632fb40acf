"""`remote::nvidia`: what NeMo Evaluator is told of benchmarks and runs, and what it says of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Answered
from runtime.conformance.stacks import Served, run_config, serving
from tests.conformance.eval.asking import AT
from tests.support.nemo import KEY, Nemo, running_nemo

NAME = "mmlu-pro"
CONFIG = {"type": "mmlu_pro", "params": {"limit_samples": 50, "parallelism": 8}}
RESULTS = {"tasks": {"mmlu_pro": {"metrics": {"accuracy": {"scores": {"micro": {"value": 0.61}}}}}}, "groups": {}}
MODEL = "meta/llama-3.1-8b-instruct"
Json = dict[str, Any]


@pytest_asyncio.fixture
async def nemo() -> AsyncIterator[Nemo]:
    async with running_nemo() as running:
        running.kept["configs"]["nvidia/known"] = {"type": "gsm8k"}
        yield running


@asynccontextmanager
async def stack(nemo: Nemo, folder: Path, **config: Any) -> AsyncIterator[Served]:
    settings = {"evaluator_url": nemo.url, "api_key": KEY, **config}
    entry = {"provider_id": "nvidia", "provider_type": "remote::nvidia", "config": settings}
    run = run_config(
        providers={"inference": [], "eval": [entry]},
        registered_resources={"benchmarks": [{"benchmark_id": "known", "provider_id": "nvidia"}]},
        persistent=True,
    )
    async with serving(run, folder) as served:
        yield served


@pytest_asyncio.fixture
async def served(nemo: Nemo, tmp_path: Path) -> AsyncIterator[Served]:
    async with stack(nemo, tmp_path) as running:
        yield running


async def register(served: Served, **facts: Any) -> Answered:
    return await served.client.post(AT, {"benchmark_id": NAME, "metadata": CONFIG, **facts})


def candidate(**facts: Any) -> Json:
    return {"eval_candidate": {"type": "model", "model": MODEL, **facts}}


async def begin(served: Served, name: str = NAME, config: Json | None = None) -> Answered:
    return await served.client.post(f"{AT}/{name}/jobs", {"benchmark_config": config or candidate()})


async def begun(served: Served) -> str:
    assert (await register(served)).status == 200
    job = await begin(served)
    assert job.status == 200, job.body
    job_id: str = job.json()["job_id"]
    return job_id


async def job(served: Served, job_id: str, what: str = "") -> Answered:
    return await served.client.get(f"{AT}/{NAME}/jobs/{job_id}{what}")


async def test_a_registered_benchmark_is_a_config_there_until_it_is_forgotten(nemo: Nemo, tmp_path: Path) -> None:
    async with stack(nemo, tmp_path, namespace="team", project_id="spring") as served:
        registered = (await register(served)).json()
        assert (registered["dataset_id"], registered["scoring_functions"]) == ("", [])
        assert nemo.asked == [
            ("POST", "/v1/evaluation/configs", {"namespace": "team", "name": NAME, "project": "spring", **CONFIG})
        ]
        assert nemo.keys == [f"Bearer {KEY}"]
    async with stack(nemo, tmp_path, namespace="team") as served:
        assert (await served.client.get(f"{AT}/{NAME}")).json()["metadata"] == CONFIG
        assert (await served.client.request("DELETE", f"{AT}/{NAME}")).status == 204
    assert "team/mmlu-pro" not in nemo.kept["configs"]


async def test_clients_of_llama_stack_name_a_dataset_all_the_same(served: Served, nemo: Nemo) -> None:
    answer = await register(served, dataset_id="team/questions", scoring_functions=["basic::equality"])
    assert answer.status == 200, answer.body
    assert answer.json()["dataset_id"] == "team/questions"


@pytest.mark.parametrize(
    ("metadata", "message"), [({}, "which have no `type`"), ({"type": 5}, "which have no `type`"), (None, "no `type`")]
)
async def test_a_benchmark_whose_metadata_are_no_config_is_refused(
    served: Served, nemo: Nemo, metadata: Any, message: str
) -> None:
    refused = await register(served, metadata=metadata)
    assert (refused.status, refused.error["param"]) == (400, "metadata.type")
    assert message in refused.error["message"]
    assert nemo.asked == []


async def test_what_the_evaluator_refuses_is_not_registered(served: Served, nemo: Nemo) -> None:
    nemo.fails["configs"] = [500, 500, 500]
    refused = await register(served)
    assert refused.status in (502, 503) and KEY.encode() not in refused.body
    assert (await served.client.get(f"{AT}/{NAME}")).status == 404


async def test_a_run_is_a_job_there_and_goes_on_without_us(nemo: Nemo, tmp_path: Path) -> None:
    async with stack(nemo, tmp_path) as served:
        job_id = await begun(served)
        assert nemo.asked[-1] == (
            "POST",
            "/v1/evaluation/jobs",
            {"namespace": "nvidia", "target": {"type": "model", "model": MODEL}, "config": f"nvidia/{NAME}"},
        )
        assert (await job(served, job_id)).json()["status"] == "scheduled"
        early = await job(served, job_id, "/result")
        assert (early.status, "has not ended" in early.error["message"]) == (409, True)
    nemo.jobs[job_id] |= {"status": "running", "status_details": {"samples_processed": 7, "progress": 14.0}}
    async with stack(nemo, tmp_path) as served:
        found = (await job(served, job_id)).json()
        assert (found["status"], found["progress"]["done"], found["benchmark_id"]) == ("in_progress", 7, NAME)
        nemo.jobs[job_id]["status"] = "completed"
        nemo.results[job_id] = RESULTS
        [listed] = (await served.client.get(f"{AT}/{NAME}/jobs")).json()["data"]
        assert (listed["job_id"], listed["status"]) == (job_id, "completed")
        assert listed["ended_at"] is not None
        result = (await job(served, job_id, "/result")).json()
        assert result == {
            "generations": [],
            "scores": {NAME: {"score_rows": [], "aggregated_results": {"tasks": RESULTS["tasks"]}}},
        }
        asked = len(nemo.asked)
        assert (await job(served, job_id)).json()["status"] == "completed"
        assert len(nemo.asked) == asked, "what has ended is not asked for again"


async def test_a_run_is_cancelled_there(served: Served, nemo: Nemo) -> None:
    job_id = await begun(served)
    path = f"{AT}/{NAME}/jobs/{job_id}"
    assert (await served.client.request("DELETE", path)).status == 204
    assert nemo.asked[-1][:2] == ("POST", f"/v1/evaluation/jobs/{job_id}/cancel")
    assert (await job(served, job_id)).json()["status"] == "cancelled"
    assert (await served.client.request("DELETE", path)).status == 409
    assert (await job(served, job_id, "/result")).status == 409


async def test_why_a_run_failed_is_said(served: Served, nemo: Nemo) -> None:
    job_id = await begun(served)
    nemo.jobs[job_id] |= {"status": "failed", "status_details": {"message": "the model is not there"}}
    found = (await job(served, job_id)).json()
    assert (found["status"], found["error"]) == ("failed", "the model is not there")
    refused = await job(served, job_id, "/result")
    assert (refused.status, "the model is not there" in refused.error["message"]) == (409, True)


async def test_a_run_that_is_not_there_has_failed_until_it_is(served: Served, nemo: Nemo) -> None:
    job_id = await begun(served)
    kept = nemo.jobs.pop(job_id)
    found = (await job(served, job_id)).json()
    assert (found["status"], found["error"], found["ended_at"]) == ("failed", "`nvidia` does not have this job", None)
    nemo.jobs[job_id] = kept
    assert (await job(served, job_id)).json()["status"] == "scheduled"


async def test_an_evaluator_that_is_down_spoils_no_list(nemo: Nemo, tmp_path: Path) -> None:
    async with stack(nemo, tmp_path) as served:
        job_id = await begun(served)
    async with stack(nemo, tmp_path, evaluator_url="http://127.0.0.1:9") as served:
        answer = await served.client.get(f"{AT}/{NAME}/jobs")
        assert (await job(served, job_id)).status == 503
    [listed] = answer.json()["data"]
    assert (listed["job_id"], listed["status"]) == (job_id, "scheduled")
    assert "as it was last known" in answer.headers["x-llama-warnings"]


async def test_a_benchmark_of_the_run_config_is_a_config_that_is_there(served: Served, nemo: Nemo) -> None:
    assert nemo.asked == []
    answer = await begin(served, "known")
    assert answer.status == 200, answer.body
    assert nemo.asked[-1][2]["config"] == "nvidia/known"
    del nemo.kept["configs"]["nvidia/known"]
    refused = await begin(served, "known")
    assert (refused.status, refused.error["param"]) == (404, "benchmark_id")
    assert "no config `nvidia/known`" in refused.error["message"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (candidate() | {"num_examples": 3}, "limit_samples"),
        (candidate() | {"scoring_params": {"basic::equality": {"type": "basic"}}}, "its metrics in its config"),
        (candidate(system_message={"role": "system", "content": "Be short."}), "the prompt in its config"),
        (
            {"eval_candidate": {"type": "agent", "config": {"model": MODEL, "instructions": "x"}}},
            "evaluates models, not agents",
        ),
    ],
)
async def test_what_only_its_config_can_say_is_refused_in_a_run(
    served: Served, nemo: Nemo, config: Json, message: str
) -> None:
    refused = await begin(served, "known", config)
    assert (refused.status, message in refused.error["message"]) == (501, True), refused.body
    assert nemo.asked == []


async def test_what_has_no_effect_is_warned_of(served: Served) -> None:
    answer = await begin(served, "known", candidate(sampling_params={"max_tokens": 5}))
    assert "`sampling_params` have no effect" in answer.headers["x-llama-warnings"]


@pytest.mark.parametrize("path", ["/rows", "/compare?baseline=x"])
async def test_what_it_tells_nothing_of_is_said(served: Served, path: str) -> None:
    job_id = await begun(served)
    assert (await job(served, job_id, path)).status == 501
    rows = {"input_rows": [{"question": "x", "answer": "y"}], "scoring_functions": ["f"]}
    asked = await served.client.post(f"{AT}/{NAME}/evaluations", {**rows, "benchmark_config": candidate()})
    assert asked.status == 501


@pytest.mark.parametrize(("status", "ours"), [(401, 502), (503, 503)])
async def test_its_errors_are_told_without_its_key(served: Served, nemo: Nemo, status: int, ours: int) -> None:
    nemo.fails["jobs"] = [status] * 5
    refused = await begin(served, "known")
    assert refused.status == ours, refused.body
    assert KEY.encode() not in refused.body


async def test_an_evaluator_that_cannot_be_reached_is_named(nemo: Nemo, tmp_path: Path) -> None:
    async with stack(nemo, tmp_path, evaluator_url="http://127.0.0.1:9") as served:
        refused = await begin(served, "known")
    assert refused.status == 503
    assert "127.0.0.1:9" in refused.error["message"]


async def test_an_empty_dataset_leaves_no_benchmark_of_the_run_config_out(nemo: Nemo, tmp_path: Path) -> None:
    settings = {"evaluator_url": nemo.url}
    entry = {"provider_id": "nvidia", "provider_type": "remote::nvidia", "config": settings}
    benchmark = {"benchmark_id": "known", "provider_id": "nvidia", "dataset_id": "", "scoring_functions": []}
    run = run_config(providers={"inference": [], "eval": [entry]}, registered_resources={"benchmarks": [benchmark]})
    async with serving(run, tmp_path) as served:
        assert (await begin(served, "known")).status == 200
