"""Registrations over a real SQLite store: what is acknowledged is there after a restart, and only that."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.errors import Conflict, NotFound, Unavailable
from runtime.routing.registrations import Registrations
from runtime.routing.table import Entry, ResourceTable
from runtime.sse import encode
from runtime.storage.kv.memory import MemoryKeyValueStore
from runtime.storage.kv.sqlite import SqliteKeyValueStore


def registered(name: str, provider: str = "groq", resource: str = "scout", **facts: Any) -> Entry:
    return Entry(id=name, provider_id=provider, provider_resource_id=resource, source="registered", **facts)


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteKeyValueStore]:
    opened = SqliteKeyValueStore(tmp_path / "kv.db")
    yield opened
    await opened.close()


async def reopened(path: Path) -> ResourceTable:
    """The table as another process would find it."""
    store = SqliteKeyValueStore(path)
    table = ResourceTable("model", plural="models")
    await Registrations(table, store).load()
    await store.close()
    return table


async def test_a_registration_is_there_after_a_restart_with_all_it_says(
    store: SqliteKeyValueStore, tmp_path: Path
) -> None:
    entry = registered("mine", kind="embedding", metadata={"embedding_dimension": 8, "é": [1]}, created=7)
    await Registrations(ResourceTable("model", plural="models"), store).add(entry)
    assert (await reopened(tmp_path / "kv.db")).find("mine") == entry


async def test_what_was_removed_stays_removed(store: SqliteKeyValueStore, tmp_path: Path) -> None:
    registrations = Registrations(ResourceTable("model", plural="models"), store)
    await registrations.add(registered("mine"))
    await registrations.remove("mine")
    assert (await reopened(tmp_path / "kv.db")).entries() == []
    with pytest.raises(NotFound):
        await registrations.remove("mine")


async def test_a_refused_registration_leaves_nothing(store: SqliteKeyValueStore, tmp_path: Path) -> None:
    registrations = Registrations(ResourceTable("model", plural="models"), store)
    await registrations.add(registered("mine"))
    with pytest.raises(Conflict):
        await registrations.add(registered("mine", provider="llama"))
    assert [one.provider_id for one in (await reopened(tmp_path / "kv.db")).entries()] == ["groq"]


async def test_a_bare_name_of_several_providers_can_be_registered() -> None:
    table = ResourceTable("model", plural="models")
    for provider in ("groq", "llama"):
        table.list_of(provider, [Entry(id=f"{provider}/scout", provider_id=provider, provider_resource_id="scout")])
    await Registrations(table, MemoryKeyValueStore()).add(registered("scout"))
    found = table.find("scout")
    assert found is not None and found.provider_id == "groq"


async def test_what_the_run_config_names_is_not_stored_again(store: SqliteKeyValueStore, tmp_path: Path) -> None:
    table = ResourceTable("model", plural="models")
    table.keep(Entry(id="mine", provider_id="groq", provider_resource_id="scout", source="config"))
    await Registrations(table, store).add(registered("mine"))
    assert (await reopened(tmp_path / "kv.db")).entries() == []


class FullDisk(MemoryKeyValueStore):
    """Stands in for a disk that is full, which a test cannot make."""

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        raise Unavailable("the disk is full")


async def test_what_could_not_be_stored_is_not_served() -> None:
    table = ResourceTable("model", plural="models")
    with pytest.raises(Unavailable):
        await Registrations(table, FullDisk()).add(registered("mine"))
    assert table.entries() == []


async def test_an_unreadable_registration_is_told_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryKeyValueStore()
    await store.set("registrations/model/a", b"{")
    await store.set("registrations/model/b", encode({"id": "b"}))
    await store.set(
        "registrations/model/c",
        encode({"id": "c", "provider_id": "p", "provider_resource_id": "c", "of_a_newer_version": 1}),
    )
    table = ResourceTable("model", plural="models")
    with caplog.at_level(logging.ERROR):
        await Registrations(table, store).load()
    assert [one.id for one in table.entries()] == ["c"]
    assert [record.__dict__["key"] for record in caplog.records] == ["registrations/model/a", "registrations/model/b"]
