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
    found = served.stack._kinds.price_of("vendor", model, resource)
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


async def shown(served: Served, name: str) -> Any:
    """Of a model the price, which is the same wherever the model is shown."""
    one = (await served.client.get(f"/v1/models/{name}")).json()
    [listed] = [each for each in (await served.client.get("/v1/models")).json()["data"] if each["id"] == name]
    assert one == listed and one["metadata"].get("price") == one["custom_metadata"].get("price")
    return one["metadata"].get("price")


async def test_a_model_is_shown_with_the_price_that_counts(upstream: Upstream, tmp_path: Path) -> None:
    stated = {"input": 1.0, "output": 2.0}
    async with serving(run(upstream, named("mine", price=stated), named("small", "gpt-4o-mini")), tmp_path) as served:
        assert LISTED is not None
        assert await shown(served, "mine") == stated, "as it was stated"
        assert await shown(served, "vendor/gpt-4o") == {**stated, "source": "the run config"}
        small = {"input": 0.15, "cached_input": 0.075, "output": 0.6, "source": LISTED.source}
        assert await shown(served, "small") == await shown(served, "vendor/gpt-4o-mini") == small
        assert await shown(served, "vendor/own") is None


async def test_what_the_list_says_is_not_kept_with_another_name(upstream: Upstream, tmp_path: Path) -> None:
    async with serving(run(upstream), tmp_path) as served:
        facts = (await served.client.get("/v1/models/vendor/gpt-4o")).json()["metadata"]
        assert facts["price"]["input"] == 2.5
        given = {"model_id": "x", "provider_model_id": "vendor/gpt-4o", "metadata": facts}
        assert (await served.client.post("/v1/models", given)).status == 200
        kept = served.stack._kinds._with_aliases()
        assert kept is not None and "price" not in kept.table.names.kept["x"].metadata
        assert (await shown(served, "x"))["input"] == 2.5
        dearer = {**facts["price"], "input": 3}
        assert (await served.client.post("/v1/models", given | {"metadata": {"price": dearer}})).status == 200
        assert (await shown(served, "x"))["input"] == 3


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
