"""Which price a call is counted by: the run config's, a registration's, or that of its vendor's list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.catalog.prices import price_of
from runtime.conformance.stacks import Served, run_config
from runtime.conformance.upstream import Upstream
from runtime.errors import ConfigInvalid
from runtime.stack.plan import plan
from tests.support.stacks import openai_at, serving

LISTED = price_of("openai", "gpt-4o")


def run(upstream: Upstream, *models: dict[str, Any]) -> Any:
    upstream.models = ["gpt-4o", "gpt-4o-mini", "own"]
    return run_config(openai_at(upstream.url), registered_resources={"models": list(models)})


def named(name: str, model: str = "gpt-4o", **metadata: Any) -> dict[str, Any]:
    return {"model_id": name, "provider_id": "vendor", "provider_model_id": model, "metadata": metadata}


def price(served: Served, resource: str, model: str = "gpt-4o") -> tuple[float | None, str | None] | None:
    """The rate of what is read, and who says so."""
    found = served.stack._kinds.price_of("vendor", "remote::openai", model, resource)
    return None if found is None else (found.input, found.source)


async def test_the_run_config_comes_first_for_each_name_of_the_model(upstream: Upstream, tmp_path: Path) -> None:
    mine, other = named("mine", price={"input": 1, "output": 2}), named("other")
    async with serving(run(upstream, mine, other), tmp_path) as served:
        for name in ("mine", "other", "vendor/gpt-4o"):
            assert price(served, name) == (1, "the run config")
        assert price(served, "vendor/gpt-4o-mini", "gpt-4o-mini") == (0.15, LISTED and LISTED.source)
        assert price(served, "vendor/own", "own") is None


async def test_who_says_so_can_be_told(upstream: Upstream, tmp_path: Path) -> None:
    mine = named("mine", price={"input": 1, "source": "our contract of 2026"})
    async with serving(run(upstream, mine), tmp_path) as served:
        assert price(served, "mine") == (1, "our contract of 2026")


async def test_a_registered_price_is_that_of_its_name_alone(upstream: Upstream, tmp_path: Path) -> None:
    async with serving(run(upstream), tmp_path, aliases={"again": "cheap"}) as served:
        before = price(served, "vendor/gpt-4o")
        answer = await served.client.post("/v1/models", named("cheap", price={"input": 0, "output": 0}))
        assert answer.json()["metadata"]["price"] == {"input": 0.0, "output": 0.0}
        assert price(served, "cheap") == price(served, "again") == (0, "its registration")
        assert price(served, "vendor/gpt-4o") == before == (2.5, LISTED and LISTED.source)
        assert (await served.client.request("DELETE", "/v1/models/cheap")).status == 204
        assert price(served, "cheap") == before


async def test_what_the_list_says_is_not_kept_with_another_name(upstream: Upstream, tmp_path: Path) -> None:
    async with serving(run(upstream), tmp_path) as served:
        listed = (await served.client.get("/v1/models/vendor/gpt-4o")).json()
        assert listed["metadata"]["price"]["input"] == listed["custom_metadata"]["price"]["input"] == 2.5
        answer = await served.client.post("/v1/models", {"model_id": "x", "provider_model_id": "vendor/gpt-4o"})
        assert "price" not in answer.json()["metadata"] and answer.json()["metadata"]["context_length"]


@pytest.mark.parametrize(
    ("given", "place", "why"),
    [
        ({"input": -1}, "metadata.price.input", "a number of at least 0"),
        ({"input": "dear"}, "metadata.price.input", "number"),
        ({"in": 1}, "metadata.price.in", ""),
        ({}, "metadata.price", "neither `input` nor `output`, in USD a million tokens"),
        ("free", "metadata.price", ""),
        ({"input": 1, "tiers": [{"input": 2}]}, "metadata.price.tiers", "above"),
    ],
)
async def test_a_price_that_is_none_is_refused_with_its_place(
    upstream: Upstream, tmp_path: Path, given: Any, place: str, why: str
) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        plan(run(upstream, named("mine", price=given)))
    assert place in str(refused.value) and why in str(refused.value)
    async with serving(run(upstream), tmp_path) as served:
        answer = await served.client.post("/v1/models", named("mine", price=given))
        assert answer.status == 400
        assert why in answer.error["message"] and place.split(".")[-1] in answer.error["message"]
