"""Registering under names that are taken by the run config, and under names that no path can carry."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config
from tests.support.datasets import LISTS, Lists, rows_source, with_lists
from tests.support.scoring import LETTERS, with_letters
from tests.support.stacks import openai_at, serving

FRANCE = {"question": "Of France?", "answer": "Paris"}
DATASET = {"dataset_id": "capitals", "purpose": "eval/question-answer", "source": rows_source(FRANCE)}
FUNCTION = {
    "scoring_fn_id": "mine",
    "provider_scoring_fn_id": "same",
    "provider_id": "letters",
    "description": "Equal?",
    "params": {"type": "basic", "aggregation_functions": ["median"]},
}
SHIELD = {"shield_id": "words", "provider_id": "words", "params": {"threshold": 0.7}}
MODEL = {
    "model_id": "chat",
    "provider_id": "vendor",
    "provider_model_id": "org/chat",
    "metadata": {"context_length": 5},
}
ALL = {"datasets": [DATASET], "scoring_fns": [FUNCTION], "shields": [SHIELD], "models": [MODEL]}
AT = {
    "datasets": "/v1beta/datasets",
    "scoring_fns": "/v1/scoring-functions",
    "shields": "/v1/shields",
    "models": "/v1/models",
}
PROVIDERS = {
    "inference": [openai_at("http://127.0.0.1:9/v1"), openai_at("http://127.0.0.1:9/v1", "other")],
    "datasetio": [LISTS],
    "scoring": [LETTERS],
    "safety": [{"provider_id": "words", "provider_type": "inline::profanity-check"}],
}


@pytest_asyncio.fixture
async def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Client]:
    with_lists(monkeypatch)
    with_letters(monkeypatch)
    async with serving(run_config(providers=PROVIDERS, registered_resources=ALL), tmp_path) as served:
        yield served.client


@pytest.mark.parametrize("kind", ALL)
async def test_what_the_run_config_names_may_be_registered_as_it_is_there(client: Client, kind: str) -> None:
    [configured] = ALL[kind]
    shown = (await client.get(AT[kind])).json()
    assert (await client.post(AT[kind], configured)).status == 200
    assert (await client.get(AT[kind])).json() == shown


@pytest.mark.parametrize(
    ("kind", "left_out"),
    [
        ("scoring_fns", ("description", "params", "provider_id")),
        ("shields", ("params", "provider_id")),
        ("models", ("metadata",)),
        ("models", ("metadata", "provider_model_id", "provider_id")),
    ],
)
async def test_what_a_request_leaves_out_is_as_the_run_config_has_it(
    client: Client, kind: str, left_out: tuple[str, ...]
) -> None:
    [configured] = ALL[kind]
    said = {name: value for name, value in configured.items() if name not in left_out}
    answer = await client.post(AT[kind], said)
    assert answer.status == 200, answer.body
    assert answer.json() in (await client.get(AT[kind])).json()["data"]


@pytest.mark.parametrize(
    ("kind", "other", "field"),
    [
        ("datasets", {"source": rows_source(FRANCE, FRANCE)}, "source"),
        ("datasets", {"purpose": "eval/messages-answer"}, "purpose"),
        ("datasets", {"metadata": {"of": "countries"}}, "metadata"),
        ("scoring_fns", {"description": "Is it the same?"}, "description"),
        ("scoring_fns", {"params": {"type": "basic", "aggregation_functions": ["average"]}}, "params"),
        ("scoring_fns", {"provider_scoring_fn_id": "first"}, "provider_scoring_fn_id"),
        ("shields", {"params": {"threshold": 0.8}}, "params"),
        ("models", {"metadata": {"context_length": 6}}, "metadata"),
        ("models", {"model_type": "rerank"}, "model_type"),
        ("models", {"provider_model_id": "org/other"}, "provider_model_id"),
        ("models", {"provider_id": "other"}, "provider_id"),
    ],
)
async def test_under_the_name_of_one_of_the_run_config_nothing_else_is_registered(
    client: Client, kind: str, other: dict[str, Any], field: str
) -> None:
    [configured] = ALL[kind]
    before = (await client.get(AT[kind])).json()
    answer = await client.post(AT[kind], {**configured, **other})
    assert answer.status == 409, answer.body
    assert "the run config" in answer.error["message"] and f"`{field}`" in answer.error["message"]
    assert (await client.get(AT[kind])).json() == before
    assert Lists.latest.kept == {}


async def test_an_alias_is_registered_as_it_is_and_not_otherwise(tmp_path: Path) -> None:
    run = run_config(openai_at("http://127.0.0.1:9/v1"), models=[MODEL])
    async with serving(run, tmp_path, aliases={"short": "chat"}) as served:
        assert (await served.client.post("/v1/models", {"model_id": "short"})).status == 200
        answer = await served.client.post("/v1/models", {"model_id": "short", "metadata": {"context_length": 6}})
        assert answer.status == 409 and "`--alias`" in answer.error["message"]


@pytest.mark.parametrize("name", ["a/", "a//", "/", "//", "/a", "a//b"])
@pytest.mark.parametrize("kind", ["datasets", "scoring_fns", "shields"])
async def test_a_name_that_no_path_can_carry_is_refused(client: Client, kind: str, name: str) -> None:
    [configured] = ALL[kind]
    [field] = [field for field in ("dataset_id", "scoring_fn_id", "shield_id") if field in configured]
    answer = await client.post(AT[kind], {**configured, field: name})
    assert (answer.status, answer.error["param"]) == (400, field)
    assert f"`{name}`" in answer.error["message"] and "/" in answer.error["message"]


async def test_a_model_may_be_a_place_on_its_provider_s_disk_but_no_folder(client: Client) -> None:
    """vLLM serves models under absolute paths."""
    for name in ("vendor//srv/models/llama", "/srv/models/llama"):
        assert (await client.post("/v1/models", {"model_id": name, "provider_id": "vendor"})).status == 200
        assert (await client.get(f"/v1/models/{name}")).json()["id"] == name
    answer = await client.post("/v1/models", {"model_id": "/srv/models/", "provider_id": "vendor"})
    assert (answer.status, answer.error["param"]) == (400, "model_id")


@pytest.mark.parametrize(
    ("kind", "field"),
    [("datasets", "metadata"), ("scoring_fns", "metadata"), ("shields", "params"), ("models", "metadata")],
)
async def test_what_every_list_shows_is_bounded(client: Client, kind: str, field: str) -> None:
    [configured] = ALL[kind]
    [name] = [name for name in ("dataset_id", "scoring_fn_id", "shield_id", "model_id") if name in configured]
    answer = await client.post(AT[kind], {**configured, name: "other", field: {"words": "a" * 65_536}})
    assert (answer.status, answer.error["param"]) == (400, field), answer.body
    assert "65536 are allowed" in answer.error["message"]
