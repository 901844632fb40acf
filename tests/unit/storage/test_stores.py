"""The stores of a stack: what a name or a reference leads to, and what only looks like a store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.apis._api import Store
from runtime.errors import NotSupported, Unavailable
from runtime.storage.kv.sqlite import SqliteKeyValueStore
from runtime.storage.placement import KeyValueReference, StorageConfig
from runtime.storage.stores import Stores

MEMORY = {"kv_default": {"type": "kv_memory"}, "kv_other": {"type": "kv_memory"}, "sql_default": {"type": "sql_sqlite"}}
STATED = (Store(name="prompts"), Store(name="connectors"), Store(name="notes", part="jottings"))


def stores(folder: Path, **placed: Any) -> Stores:
    return Stores(StorageConfig.model_validate({"backends": MEMORY, "stores": placed}), folder, STATED)


def on_disk(folder: Path) -> Stores:
    return Stores(StorageConfig(), folder, STATED)


@pytest.mark.parametrize(
    ("backend", "is_inside"),
    [
        pytest.param({"type": "sql_sqlite"}, True, id="by default"),
        pytest.param({"type": "sql_sqlite", "db_path": "below/jobs.db"}, True, id="below it"),
        pytest.param({"type": "sql_sqlite", "db_path": "../jobs.db"}, False, id="beside it"),
        pytest.param({"type": "sql_sqlite", "db_path": "linked/jobs.db"}, False, id="by a link"),
        pytest.param({"type": "sql_postgres", "db": "llama", "user": "llama"}, False, id="a server"),
    ],
)
def test_what_is_in_the_state_folder_is_known(tmp_path: Path, backend: dict[str, Any], is_inside: bool) -> None:
    (folder := tmp_path / "state").mkdir()
    (folder / "linked").symlink_to(tmp_path)
    config = StorageConfig.model_validate({"backends": {"sql_default": backend}})
    assert Stores(config, folder).is_in_state_folder("jobs") is is_inside


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


async def test_the_keys_on_disk_begin_with_the_part_of_their_store(tmp_path: Path) -> None:
    opened = on_disk(tmp_path)
    for store in ("metadata", "prompts", "notes"):
        await opened.kv(store).set("key", b"1")
    await opened.kv(KeyValueReference(backend="kv_default", namespace="vector_io::faiss")).set("key", b"1")
    await opened.close()
    file = SqliteKeyValueStore(tmp_path / "kvstore.db")
    assert [key for key, _ in await file.scan("")] == [
        *("jottings\x1fkey", "prompts\x1fkey", "registry\x1fkey", "vector_io::faiss\x1fkey")
    ]
    await file.close()


async def test_what_providers_keep_is_apart_and_still_there_after_reopening(tmp_path: Path) -> None:
    mine = KeyValueReference(backend="kv_default", namespace="mine")
    yours = KeyValueReference(backend="kv_default", namespace="yours")
    first = on_disk(tmp_path)
    await first.kv(mine).set("key", b"1")
    await first.kv(yours).set("key", b"2")
    await first.close()
    second = on_disk(tmp_path)
    assert [await second.kv(reference).scan("") for reference in (mine, yours)] == [[("key", b"1")], [("key", b"2")]]
    assert await second.kv("prompts").scan("") == []
    await second.close()


async def test_a_reference_to_another_backend_is_another_place(tmp_path: Path) -> None:
    opened = stores(tmp_path)
    await opened.kv(KeyValueReference(backend="kv_default", namespace="mine")).set("key", b"1")
    assert await opened.kv(KeyValueReference(backend="kv_other", namespace="mine")).get("key") is None


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


def test_keys_cannot_be_kept_in_a_backend_of_tables(tmp_path: Path) -> None:
    opened = stores(tmp_path, prompts={"backend": "sql_default", "table_name": "t"})
    with pytest.raises(NotSupported, match="`prompts` is in `sql_default`, which holds tables") as caught:
        opened.kv("prompts")
    assert caught.value.hint == "name a `kv_` backend in `storage.stores.prompts.backend`"
    with pytest.raises(NotSupported, match="A provider's data is in `sql_default`") as caught:
        opened.kv(KeyValueReference(backend="sql_default", namespace="mine"))
    assert caught.value.hint == "name a `kv_` backend in its `config`"


@pytest.mark.parametrize("store", ["model_config", "conversations", "kv_default"])
def test_a_name_that_nobody_states_is_a_bug(tmp_path: Path, store: str) -> None:
    with pytest.raises(KeyError):
        stores(tmp_path, conversations={"backend": "kv_default"}).kv(store)


async def test_storage_that_cannot_be_opened_is_found_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "kvstore.db").mkdir()
    with pytest.raises(Unavailable):
        await on_disk(tmp_path).open()
