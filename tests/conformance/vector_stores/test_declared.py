"""Vector stores that the run config names."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from runtime.providers.vector_stores.builtin.tables import STORES as STORE_ROWS
from runtime.storage.sql import Update, eq
from tests.conformance.vector_stores.asking import LIMIT_S, Asking, asking
from tests.support.upstream import EMBEDDING_MODEL
from tests.support.vector_stores import STORES
from tests.support.word_models import DIMENSION, LARGE_DIMENSION, LARGE_EMBEDDING_MODEL, Models

pytestmark = pytest.mark.asyncio(loop_scope="module")
ANY_DATABASE = True  # they are the stores that the other modules try
HANDBOOK = {"vector_store_id": "handbook", "embedding_model": EMBEDDING_MODEL, "embedding_dimension": DIMENSION}


async def there(stores: Asking, store: str) -> Any:
    """A store, once it is there."""
    async with asyncio.timeout(LIMIT_S):
        while (answered := await stores.ask("GET", f"{STORES}/{store}")).status == 503:
            assert answered.error["code"] == "vector_store_not_ready"
            await stores.turn()
    assert answered.status == 200, answered.body
    return answered.json()


async def health(stores: Asking) -> dict[str, Any]:
    [provider] = [one for one in (await stores.done("GET", "/v1/providers"))["data"] if one["api"] == "vector_stores"]
    found: dict[str, Any] = provider["health"]
    return found


async def trouble(stores: Asking) -> str:
    """Why its provider is degraded, once it is."""
    async with asyncio.timeout(LIMIT_S):
        while (found := await health(stores))["state"] != "degraded":
            await stores.turn()
    said: str = found["message"]
    return said


async def test_one_is_there_after_each_start_with_what_was_put_into_it(
    vector_io: Mapping[str, Any], models: Models, tmp_path: Path
) -> None:
    named = HANDBOOK | {"vector_store_name": "Handbook", "provider_id": vector_io["provider_id"]}
    async with asking(
        vector_io, models, tmp_path, persistent=True, declared=[named, {"vector_store_id": "b"}]
    ) as first:
        made = await there(first, "handbook")
        expected = {"name": "Handbook", "embedding_model": EMBEDDING_MODEL, "provider_id": vector_io["provider_id"]}
        assert made == made | expected and made["embedding_dimension"] == DIMENSION
        assert (await there(first, "b"))["name"] == "b"
        await first.insert("handbook", {"content": "A llama grazes.", "metadata": {"document_id": "d"}})
    renamed = named | {"vector_store_name": "Manual", "metadata": {"team": "a"}}
    async with asking(vector_io, models, tmp_path, persistent=True, declared=[renamed]) as second:
        async with asyncio.timeout(LIMIT_S):
            while (found := await there(second, "handbook"))["name"] != "Manual":
                await second.turn()
        assert (found["created_at"], found["metadata"]) == (made["created_at"], {"team": "a"})
        assert len(await second.search("handbook", "llama")) == 1
        assert {one["id"] for one in (await second.done("GET", STORES))["data"]} == {"handbook", "b"}
        assert (await health(second))["state"] == "ready"


async def test_one_that_is_another_by_now_serves_as_it_is_and_both_values_are_named(
    vector_io: Mapping[str, Any], models: Models, tmp_path: Path
) -> None:
    async with asking(vector_io, models, tmp_path, persistent=True, declared=[HANDBOOK]) as first:
        await there(first, "handbook")
    other = {"vector_store_id": "handbook", "embedding_model": LARGE_EMBEDDING_MODEL}
    async with asking(vector_io, models, tmp_path, persistent=True, declared=[other]) as second:
        said = await trouble(second)
        assert "handbook" in said and EMBEDDING_MODEL in said and LARGE_EMBEDDING_MODEL in said
        assert (await second.shown("handbook"))["embedding_model"] == EMBEDDING_MODEL
        reindexed = await second.reindex("handbook", embedding_model=LARGE_EMBEDDING_MODEL)
        assert reindexed["embedding_dimension"] == LARGE_DIMENSION
        await second.adapter._declared._try(second.adapter._declared._given["handbook"])  # as it does in a while
        assert (await health(second))["state"] == "ready"


async def test_one_that_cannot_be_made_says_why_and_the_others_are_there(
    vector_io: Mapping[str, Any], models: Models, tmp_path: Path
) -> None:
    wrong = [
        {"vector_store_id": "unknown", "embedding_model": "nobodys"},
        HANDBOOK | {"vector_store_id": "long", "embedding_dimension": 7},
    ]
    async with asking(vector_io, models, tmp_path, declared=[*wrong, HANDBOOK]) as stores:
        await there(stores, "handbook")
        said = await trouble(stores)
        assert "`nobodys`" in said and "not of 7" in said
        for store, why in (("unknown", "`nobodys`"), ("long", "not of 7")):
            error = await stores.refused(503, "GET", f"{STORES}/{store}")
            assert f"`{store}` of the run config is not there yet" in error["message"] and why in error["message"]
        assert (await stores.refused(404, "GET", f"{STORES}/other"))["code"] == "vector_store_not_found"


@pytest.mark.parametrize("path", [STORES, "/v1/vector-dbs"])
async def test_one_is_removed_in_the_run_config_only(
    vector_io: Mapping[str, Any], models: Models, tmp_path: Path, path: str
) -> None:
    async with asking(vector_io, models, tmp_path, declared=[HANDBOOK]) as stores:
        await there(stores, "handbook")
        assert "run config" in (await stores.refused(409, "DELETE", f"{path}/handbook"))["message"]
        await there(stores, "handbook")


async def test_one_that_has_expired_is_made_anew_at_the_next_start(
    vector_io: Mapping[str, Any], models: Models, tmp_path: Path
) -> None:
    async with asking(vector_io, models, tmp_path, persistent=True, declared=[HANDBOOK]) as first:
        await there(first, "handbook")
        past = int(time.time()) - 1
        await first.rows.write(Update(STORE_ROWS, {"expires_at": past}, eq("id", "handbook"), expect=1))
    async with asking(vector_io, models, tmp_path, persistent=True, declared=[HANDBOOK]) as second:
        async with asyncio.timeout(LIMIT_S):
            while (await there(second, "handbook"))["status"] == "expired":
                await second.turn()
        assert await second.search("handbook", "llama") == []
