"""Functions that are registered over those that a provider lists: what they leave out is as it is listed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config
from tests.support.scoring import LETTERS, Letters, with_letters
from tests.support.stacks import serving

AT = "/v1/scoring-functions"
ROWS = [
    {"generated_answer": "Paris", "expected_answer": "Paris"},
    {"generated_answer": "R", "expected_answer": "Paris"},
]
COLUMNS = ["generated_answer", "expected_answer"]
CONFIGURED = {"scoring_fn_id": "ours", "provider_id": "letters", "provider_scoring_fn_id": "same"}


@pytest_asyncio.fixture
async def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Client]:
    with_letters(monkeypatch)
    run = run_config(providers={"scoring": [LETTERS]}, registered_resources={"scoring_fns": [CONFIGURED]})
    async with serving(run, tmp_path) as served:
        yield served.client


async def registered(client: Client, of: str = "same", **facts: Any) -> Any:
    answer = await client.post(AT, {"scoring_fn_id": "mine", "provider_scoring_fn_id": of, **facts})
    assert answer.status == 200, answer.body
    assert answer.json() == (await client.get(f"{AT}/mine")).json()
    assert answer.json() in (await client.get(AT)).json()["data"]
    return answer.json()


async def aggregations(client: Client, function: str = "mine", told: Any = None) -> list[str]:
    answer = await client.post("/v1/scoring/score", {"input_rows": ROWS, "scoring_functions": {function: told}})
    assert answer.status == 200, answer.body
    return [*answer.json()["results"][function]["aggregated_results"]]


def basic(*aggregations: str, **options: Any) -> Any:
    return {"type": "basic", "aggregation_functions": [*aggregations], **({"options": options} if options else {})}


async def test_all_that_it_does_not_say_is_listed(client: Client) -> None:
    shown = await registered(client)
    assert (shown["description"], shown["metadata"]) == ("Equal?", {"columns": COLUMNS})
    assert shown["params"]["aggregation_functions"] == ["accuracy"]
    text = await client.post(AT, {"scoring_fn_id": "text", "provider_scoring_fn_id": "first"})
    assert text.json()["return_type"] == {"type": "string"}
    for function in ("letters::same", "ours"):
        assert await aggregations(client, function) == ["accuracy"]


@pytest.mark.parametrize("params", [None, {"type": "basic"}, basic(case=False)])
async def test_it_is_aggregated_as_what_it_stands_for(client: Client, params: Any) -> None:
    await registered(client, params=params)
    assert await aggregations(client) == ["accuracy"]
    assert await aggregations(client, told=basic()) == ["accuracy"]
    assert await aggregations(client, told=basic("median", "average")) == ["median", "average"]
    asked = Letters.latest.asked[0].params
    assert asked is not None and asked.model_dump().get("options") == (params or {}).get("options")


async def test_what_it_says_itself_comes_first(client: Client) -> None:
    shown = await registered(
        client, params=basic("median"), description="Mine", metadata={"columns": ["x"]}, return_type={"type": "json"}
    )
    assert (shown["description"], shown["metadata"]) == ("Mine", {"columns": ["x"]})
    assert shown["return_type"] == {"type": "json"} and await aggregations(client) == ["median"]


async def test_params_of_another_type_keep_what_is_told_of_all_rows(client: Client) -> None:
    other = {"type": "regex_parser", "parsing_regexes": ["a"]}
    assert await aggregations(client, "letters::same", other) == ["accuracy"]
    await registered(client, params=other)
    assert await aggregations(client) == ["accuracy"]


async def test_one_of_the_run_config_is_registered_as_it_is_shown(client: Client) -> None:
    shown = (await client.get(f"{AT}/ours")).json()
    said = {name: shown[name] for name in ("description", "return_type", "params", "metadata")}
    assert (await client.post(AT, {**CONFIGURED, **said})).json() == shown
    assert (await client.post(AT, {**CONFIGURED, "params": basic("median")})).status == 409
