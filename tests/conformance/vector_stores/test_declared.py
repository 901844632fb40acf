"""Vector stores that the run config names."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from runtime.access import User
from runtime.apis.vector_stores.configured import ConfiguredVectorStore
from runtime.apis.vector_stores.older import RegisterVectorDbRequest
from runtime.apis.vector_stores.store import VectorStoreRequest
from runtime.conformance.upstream import EMBEDDING_MODEL
from runtime.context import RequestContext
from runtime.context import serving as for_request
from runtime.errors import NotFound, RequestError
from runtime.providers.vector_stores.builtin.declared import DeclaredStores
from runtime.providers.vector_stores.builtin.older import VectorDbs
from runtime.providers.vector_stores.builtin.stores import Opened
from runtime.providers.vector_stores.builtin.tables import STORES as STORE_ROWS
from runtime.storage.sql import Select, Update, eq
from tests.conformance.vector_stores.asking import LIMIT_S, Asking, asking
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


async def let_expire(stores: Asking, store: str) -> None:
    past = int(time.time()) - 1
    await stores.rows.write(Update(STORE_ROWS, {"expires_at": past}, eq("id", store), expect=1))


def as_user(name: str) -> for_request:
    return for_request(RequestContext(user=User(principal=name)))


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
        await let_expire(first, "handbook")
    async with asking(vector_io, models, tmp_path, persistent=True, declared=[HANDBOOK]) as second:
        async with asyncio.timeout(LIMIT_S):
            while (await there(second, "handbook"))["status"] == "expired":
                await second.turn()
        assert await second.search("handbook", "llama") == []


class SlowVectorDbs(VectorDbs):
    """Of a server that is overtaken by another one once it has seen that a store has expired."""

    async def kept(self, request: RegisterVectorDbRequest) -> Opened:
        try:
            return await super().kept(request)
        except RequestError:
            await self.overtaken()
            raise

    overtaken: Callable[[], Awaitable[None]]


async def test_one_that_two_servers_find_expired_is_made_anew_once(
    vector_io: Mapping[str, Any], models: Models, tmp_path: Path
) -> None:
    async with asking(vector_io, models, tmp_path, declared=[HANDBOOK]) as stores:
        await there(stores, "handbook")
        await let_expire(stores, "handbook")
        adapter, given = stores.adapter, ConfiguredVectorStore.model_validate(HANDBOOK)
        slow = SlowVectorDbs(adapter._stores, adapter._embedding)
        second = DeclaredStores([given], adapter._stores, slow)

        async def first_server() -> None:
            await adapter._declared._make(given)
            await stores.insert("handbook", {"content": "A llama grazes.", "metadata": {"document_id": "d"}})

        slow.overtaken = first_server
        async with asyncio.timeout(LIMIT_S):
            await second.run()
        assert len(await stores.search("handbook", "llama")) == 1


async def test_what_was_made_anew_does_not_expire_with_what_was_there_before(
    vector_io: Mapping[str, Any], models: Models, tmp_path: Path
) -> None:
    async with asking(vector_io, models, tmp_path, declared=[HANDBOOK]) as stores:
        await there(stores, "handbook")
        await let_expire(stores, "handbook")
        [before] = await stores.rows.select(Select(STORE_ROWS, eq("id", "handbook")))
        await stores.adapter._declared._make(ConfiguredVectorStore.model_validate(HANDBOOK))
        await stores.adapter._stores.end(before)  # as another server, which read it earlier
        await stores.adapter._stores.forget(before)
        assert await stores.search("handbook", "llama") == []
        assert (await stores.shown("handbook"))["status"] == "completed"


async def test_a_users_own_one_of_the_same_name_is_nobody_elses_concern(
    vector_io: Mapping[str, Any], models: Models, tmp_path: Path
) -> None:
    wanted = VectorStoreRequest(vector_store_id="handbook")
    async with asking(vector_io, models, tmp_path, persistent=True) as first:
        with as_user("ann"):
            await first.adapter.register_vector_db(RegisterVectorDbRequest(vector_db_id="handbook"))
    async with asking(vector_io, models, tmp_path, persistent=True, declared=[HANDBOOK]) as second:
        assert "A user has made a vector store `handbook`" in await trouble(second)
        with as_user("ann"):
            assert (await second.adapter.get_store(wanted)).id == "handbook"
        with as_user("bob"), pytest.raises(NotFound):
            await second.adapter.get_store(wanted)
