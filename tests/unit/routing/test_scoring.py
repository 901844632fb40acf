"""Scores of rows and of datasets, over one operation of providers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.apis.datasetio.protocol import AppendRowsRequest, IterRowsRequest
from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config
from runtime.routing import scored_datasets
from runtime.sse import Reply
from tests.support.datasets import LISTS, Lists, rows_source, with_lists
from tests.support.scoring import LETTERS, Letters, with_letters
from tests.support.stacks import serving

RIGHT, WRONG = (
    {"generated_answer": "Paris", "expected_answer": "Paris", "weight": 3},
    {"generated_answer": "Rome", "expected_answer": "Paris"},
)
EMPTY = {"generated_answer": "", "expected_answer": "Paris"}


@pytest_asyncio.fixture
async def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Client]:
    with_lists(monkeypatch)
    with_letters(monkeypatch)
    async with serving(run_config(providers={"datasetio": [LISTS], "scoring": [LETTERS]}), tmp_path) as served:
        yield served.client


async def scored(client: Client, *rows: Any, **functions: Any) -> Any:
    named = {name.replace("__", "::"): told for name, told in functions.items()}
    answer = await client.post("/v1/scoring/score", json={"input_rows": list(rows), "scoring_functions": named})
    assert answer.status == 200, answer.body
    return answer.json()["results"]


async def test_functions_are_listed_with_what_they_are_told(client: Client) -> None:
    [same, first] = (await client.get("/v1/scoring-functions")).json()["data"]
    assert first["identifier"] == "letters::first"
    assert same == (await client.get("/v1/scoring-functions/letters::same")).json()
    assert same == {
        "identifier": "letters::same",
        "provider_id": "letters",
        "provider_resource_id": "same",
        "type": "scoring_function",
        "description": "Equal?",
        "metadata": {"columns": ["generated_answer", "expected_answer"]},
        "return_type": {"type": "number"},
        "params": {"type": "basic", "aggregation_functions": ["accuracy"], "options": None},
    }


async def test_rows_are_scored_by_several_functions(client: Client) -> None:
    results = await scored(client, RIGHT, WRONG, WRONG, EMPTY, letters__same=None, letters__first=None)
    same, first = results["letters::same"], results["letters::first"]
    assert [row["score"] for row in same["score_rows"]] == [1.0, 0.0, 0.0, 0.0]
    accuracy = same["aggregated_results"]["accuracy"]
    low, high = accuracy.pop("confidence_interval")
    assert accuracy == {"accuracy": 0.25, "num_correct": 1, "num_total": 4}
    assert 0 <= low < 0.25 < high <= 1
    assert first["score_rows"][3] == {"score": None, "error": "empty"}
    assert first["aggregated_results"] == {"categorical_count": {"categorical_count": {"R": 2, "P": 1}}, "errors": 1}


async def test_what_a_request_says_comes_before_what_is_usual(client: Client) -> None:
    told = {"type": "basic", "aggregation_functions": ["weighted_average", "median"]}
    together = (await scored(client, RIGHT, WRONG, letters__same=told))["letters::same"]["aggregated_results"]
    assert together["weighted_average"]["weighted_average"] == 0.75
    assert together["median"] == {"median": 0.5}


async def test_a_registered_function_is_told_what_it_was_registered_with(client: Client) -> None:
    body = {
        "scoring_fn_id": "mine",
        "provider_scoring_fn_id": "same",
        "description": "Mine",
        "return_type": {"type": "number"},
        "params": {"type": "basic", "aggregation_functions": ["average"], "options": {"case": False}},
    }
    assert (await client.post("/v1/scoring-functions", json=body)).status == 200
    results = await scored(client, RIGHT, mine={"type": "basic", "aggregation_functions": ["median"]})
    assert list(results["mine"]["aggregated_results"]) == ["median"]
    [asked] = Letters.latest.asked
    assert asked.scoring_fn_id == "same"
    assert asked.params is not None and asked.params.model_dump()["options"] == {"case": False}
    assert (await client.request("DELETE", "/v1/scoring-functions/mine")).status == 204
    assert (await client.request("DELETE", "/v1/scoring-functions/letters::same")).status == 409


async def test_no_row_is_all_there_is_to_say_of_none(client: Client) -> None:
    assert await scored(client, letters__same=None) == {"letters::same": {"score_rows": [], "aggregated_results": {}}}


async def test_wrong_requests_are_told_by_the_field_that_they_have(client: Client) -> None:
    async def refused(**body: Any) -> tuple[int, Any]:
        asked = {"input_rows": [RIGHT], "scoring_functions": {"letters::same": None}, **body}
        answer = await client.post("/v1/scoring/score", json=asked)
        return answer.status, answer.json()["error"]

    status, error = await refused(scoring_functions={"letters::sane": None})
    assert (status, error["param"], error["code"]) == (404, "scoring_functions", "scoring_function_not_found")
    assert "letters::same" in error["message"]
    status, error = await refused(input_rows=[{"answer": "Paris"}])
    assert (status, error["param"]) == (400, "input_rows")
    told = {"type": "basic", "aggregation_functions": ["accuracy"]}
    status, error = await refused(scoring_functions={"letters::first": told})
    assert (status, error["param"]) == (400, "aggregation_functions")
    assert "`categorical_count`" in error["message"]


async def test_a_dataset_is_scored_and_its_scores_become_one(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scored_datasets, "_PAGE_ROWS", 2)
    facts = {"purpose": "eval/question-answer", "source": rows_source(RIGHT, WRONG, EMPTY), "dataset_id": "answered"}
    assert (await client.post("/v1beta/datasets", json=facts)).status == 200
    asked = {"dataset_id": "answered", "scoring_functions": {"letters::same": None}, "save_results_dataset": True}
    found = (await client.post("/v1/scoring/score-batch", json=asked)).json()
    assert found["dataset_id"] == "answered"
    assert found["results"]["letters::same"]["aggregated_results"]["accuracy"]["num_total"] == 3
    rows = (await client.get(f"/v1beta/datasetio/iterrows/{found['results_dataset_id']}")).json()["data"]
    assert rows[0] == {**RIGHT, "scores": {"letters::same": {"score": 1.0}}}
    assert len(rows) == 3
    unknown = await client.post("/v1/scoring/score-batch", json={**asked, "dataset_id": "answers"})
    assert (unknown.status, unknown.json()["error"]["param"]) == (404, "dataset_id")
    monkeypatch.setattr(scored_datasets, "MOST_ROWS", 2)
    assert (await client.post("/v1/scoring/score-batch", json=asked)).status == 413


async def test_a_dataset_that_grows_meanwhile_is_scored_as_it_was(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scored_datasets, "_PAGE_ROWS", 1)
    facts = {"purpose": "eval/question-answer", "source": rows_source(RIGHT, WRONG), "dataset_id": "answered"}
    assert (await client.post("/v1beta/datasets", json=facts)).status == 200
    read = Lists.iterrows

    async def changed_after_it(self: Lists, request: IterRowsRequest) -> Reply:
        page = await read(self, request)
        assert request.resource is not None
        appended = AppendRowsRequest(dataset_id="answered", rows=[RIGHT])
        await self.append_rows(appended.routed_by(request.resource, "dataset_id"))
        return page

    first = (await client.get("/v1beta/datasetio/iterrows/answered")).json()["version"]
    monkeypatch.setattr(Lists, "iterrows", changed_after_it)
    for name in ("answered", f"answered@{first.removeprefix('sha256:')[:12]}"):
        asked = {"dataset_id": name, "scoring_functions": {"letters::same": None}}
        found = (await client.post("/v1/scoring/score-batch", json=asked)).json()["results"]["letters::same"]
        assert found["aggregated_results"]["accuracy"]["num_total"] == 2
