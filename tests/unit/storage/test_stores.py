"""The stores of a stack: what a name of the run config leads to, and what only looks like a store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.errors import NotSupported, Unavailable
from runtime.storage.config import StorageConfig
from runtime.storage.stores import Stores

MEMORY = {"kv_default": {"type": "kv_memory"}, "kv_other": {"type": "kv_memory"}, "sql_default": {"type": "sql_sqlite"}}


def stores(folder: Path, **placed: Any) -> Stores:
    return Stores(StorageConfig.model_validate({"backends": MEMORY, "stores": placed}), folder)


async def test_each_store_has_keys_of_its_own(tmp_path: Path) -> None:
    opened = stores(tmp_path)
    await opened.kv("prompts").set("key", b"1")
    await opened.kv("metadata").set("key", b"2")
    assert await opened.kv("prompts").get("key") == b"1"
    assert await opened.kv("connectors").get("key") is None


async def test_a_store_is_where_the_run_config_places_it(tmp_path: Path) -> None:
    opened = stores(
        tmp_path,
        prompts={"backend": "kv_other", "namespace": "shared"},
        connectors={"backend": "kv_other", "namespace": "shared"},
        metadata={"backend": "kv_default", "namespace": "shared"},
    )
    await opened.kv("prompts").set("key", b"1")
    assert await opened.kv("connectors").get("key") == b"1"
    assert await opened.kv("metadata").get("key") is None


async def test_a_store_without_a_namespace_goes_by_its_name(tmp_path: Path) -> None:
    opened = stores(tmp_path, prompts={"backend": "kv_default"}, connectors={"backend": "kv_default"})
    await opened.kv("prompts").set("key", b"1")
    assert await opened.kv("connectors").get("key") is None


async def test_closing_a_handle_closes_nothing(tmp_path: Path) -> None:
    opened = stores(tmp_path)
    await opened.kv("prompts").close()
    await opened.kv("prompts").set("key", b"1")
    await opened.close()
    handle = opened.kv("prompts")
    assert await handle.get("key") is None  # memory that ended with its backend
    await opened.close()
    with pytest.raises(RuntimeError):
        await handle.get("key")


@pytest.mark.parametrize("store", ["prompts", "conversations"])
def test_keys_cannot_be_kept_in_a_backend_of_tables(tmp_path: Path, store: str) -> None:
    placed = {store: {"backend": "sql_default", "table_name": "t"}}
    with pytest.raises(NotSupported, match=f"`{store}` is in `sql_default`, which holds tables") as caught:
        stores(tmp_path, **placed).kv(store)
    assert caught.value.hint == f"name a `kv_` backend in `storage.stores.{store}.backend`"


def test_a_name_that_is_no_store_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        stores(tmp_path).kv("model_config")


async def test_storage_that_cannot_be_opened_is_found_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "kvstore.db").mkdir()
    with pytest.raises(Unavailable):
        await Stores(StorageConfig(), tmp_path).open()
