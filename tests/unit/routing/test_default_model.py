"""`default_model` of a run config: which model comes first, and what is said of one that nobody serves."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from runtime.conformance.stacks import Served, run_config
from tests.support.listing import Listing, ids, listing_provider
from tests.support.stacks import serving


async def order(served: Served) -> list[str]:
    return ids((await served.client.get("/v1/models")).json()["data"])


async def test_without_one_models_come_as_their_providers_list_them(listing: type[Listing], tmp_path: Path) -> None:
    listing.lists |= {"b": ["z", "a"], "a": ["m"]}
    run = run_config(listing_provider("b"), listing_provider("a"))
    async with serving(run, tmp_path) as served:
        assert await order(served) == ["b/z", "b/a", "a/m"]


@pytest.mark.parametrize(
    ("name", "first"), [("a/m", "a/m"), ("m", "a/m"), ("mine", "mine"), ("wanted", "wanted"), ("late", "a/late")]
)
async def test_it_comes_first_by_any_of_its_names(
    name: str, first: str, listing: type[Listing], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    listing.lists |= {"b": ["z"], "a": ["x", "m", "late"]}
    models = [{"model_id": "mine", "provider_id": "a", "provider_model_id": "x"}]
    run = run_config(listing_provider("b"), listing_provider("a", "remote"), models=models, default_model=name)
    with caplog.at_level(logging.WARNING):
        async with serving(run, tmp_path, aliases={"wanted": "a/m"}) as served:
            found = await order(served)
    assert found[0] == first and found[1] == "b/z" and len(found) == len({*found}) == 6
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("name", "words"), [("nonesuch", "`nonesuch` is not served by any provider"), ("z", "is served by several")]
)
async def test_one_that_nobody_serves_is_a_warning(
    name: str, words: str, listing: type[Listing], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    listing.lists |= {"b": ["z"], "a": ["z"]}
    with caplog.at_level(logging.WARNING):
        async with serving(run_config(listing_provider("b"), listing_provider("a"), default_model=name), tmp_path) as s:
            assert await order(s) == ["b/z", "a/z"]
    (record,) = [record for record in caplog.records if record.message == "`default_model` has no effect"]
    assert words in record.error  # type: ignore[attr-defined]
