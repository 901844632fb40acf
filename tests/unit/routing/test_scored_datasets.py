"""Datasets that become datasets with their scores: what would go wrong is said before a function is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config
from runtime.routing import allotment, scored_datasets
from tests.support.datasets import LISTS, rows_source, with_lists
from tests.support.scoring import LETTERS, Letters, with_letters
from tests.support.stacks import serving

RIGHT = {"generated_answer": "Paris", "expected_answer": "Paris"}
OTHER = {**LISTS, "provider_id": "other-lists"}
NEMO = {"provider_id": "nemo", "provider_type": "remote::nvidia", "config": {"datasets_url": "http://127.0.0.1:9"}}
"""Takes no rows."""
IN_NEMO = {
    "dataset_id": "far",
    "provider_id": "nemo",
    "purpose": "eval/question-answer",
    "source": {"type": "uri", "uri": "hf://datasets/acme/far"},
}
BATCH = "/v1/scoring/score-batch"


@pytest_asyncio.fixture
async def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Client]:
    with_lists(monkeypatch)
    with_letters(monkeypatch)
    run = run_config(
        providers={"datasetio": [NEMO, LISTS, OTHER], "scoring": [LETTERS]},
        registered_resources={"datasets": [IN_NEMO]},
    )
    async with serving(run, tmp_path) as served:
        yield served.client


async def dataset(client: Client, *rows: Any, provider_id: str = "other-lists") -> None:
    facts = {"purpose": "eval/question-answer", "source": rows_source(*rows), "provider_id": provider_id}
    assert (await client.post("/v1beta/datasets", {"dataset_id": "answered", **facts})).status == 200


def asked(name: str = "answered", **functions: Any) -> dict[str, Any]:
    named = functions or {"letters::same": None}
    return {"dataset_id": name, "scoring_functions": named, "save_results_dataset": True}


async def test_scores_are_kept_where_the_dataset_is(client: Client) -> None:
    await dataset(client, RIGHT)
    answer = await client.post(BATCH, asked())
    assert answer.status == 200, answer.body
    saved = (await client.get(f"/v1beta/datasets/{answer.json()['results_dataset_id']}")).json()
    assert (saved["provider_id"], saved["metadata"]) == ("other-lists", {"scores_of": "answered"})


async def test_where_its_provider_takes_no_rows_the_first_that_does_has_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_lists(monkeypatch)
    both = {"datasetio": [NEMO, LISTS, OTHER]}
    async with serving(run_config(providers=both, registered_resources={"datasets": [IN_NEMO]}), tmp_path) as served:
        rows: Any = served.stack.api("datasetio")
        assert await rows.place_for_rows_of("far") == await rows.place_for_rows_of("far@0123456789") == "lists"


async def refused(client: Client, status: int, body: Any) -> Any:
    """Why it is, and that no function was asked."""
    answer = await client.post(BATCH, body)
    assert answer.status == status, answer.body
    assert Letters.latest.asked == []
    return answer.error


async def test_where_none_takes_rows_that_is_said_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_letters(monkeypatch)
    run = run_config(
        providers={"datasetio": [NEMO], "scoring": [LETTERS]}, registered_resources={"datasets": [IN_NEMO]}
    )
    async with serving(run, tmp_path) as served:
        error = await refused(served.client, 400, asked("far"))
    assert "`nemo` takes no rows" in error["message"]


async def test_where_no_more_datasets_are_kept_that_is_said_first(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await dataset(client, RIGHT)
    monkeypatch.setattr(allotment, "MOST_REGISTERED", 1)
    assert (await refused(client, 400, asked()))["code"] == "too_many_datasets"


async def test_a_column_of_the_row_s_own_is_not_replaced_by_its_scores(client: Client) -> None:
    await dataset(client, RIGHT, {**RIGHT, "scores": [0.5]})
    error = await refused(client, 400, asked())
    assert error["param"] == "save_results_dataset" and "Row 2 of `answered` has a column `scores`" in error["message"]
    answer = await client.post(BATCH, {**asked(), "save_results_dataset": False})
    assert answer.status == 200 and answer.json()["results_dataset_id"] is None


@pytest.mark.parametrize("aggregation", ["accuracy", "average", "weighted_average", "median"])
async def test_an_aggregation_of_numbers_is_refused_first_where_there_are_none(
    client: Client, aggregation: str
) -> None:
    await dataset(client, RIGHT)
    told = {"type": "basic", "aggregation_functions": ["categorical_count", aggregation]}
    first = {"letters::same": None, "letters::first": told}
    for error in (
        await refused(client, 400, asked(**first)),
        await refused(client, 400, {**asked(**first), "save_results_dataset": False}),
    ):
        assert error["param"] == "aggregation_functions"
        assert f"`{aggregation}` needs scores that are numbers, and `letters::first` gives texts" in error["message"]


async def test_a_dataset_of_too_many_bytes_is_refused_first(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    await dataset(client, *[{**RIGHT, "text": "a" * 1000}] * 3)
    monkeypatch.setattr(scored_datasets, "_PAGE_ROWS", 1)
    monkeypatch.setattr(scored_datasets, "MOST_BYTES", 2500)
    error = await refused(client, 413, asked())
    assert "`answered` has more than 2500 bytes of rows" in error["message"] and "benchmark" in error["message"]
