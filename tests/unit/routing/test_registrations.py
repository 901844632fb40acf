"""Registrations over a real SQLite store: what is acknowledged is there after a restart, and only that."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.access import EVERYBODY, User
from runtime.apis.models import MODEL
from runtime.errors import Conflict, NotFound, RequestError, Unavailable
from runtime.routing import allotment
from runtime.routing.entry import Entry
from runtime.routing.registrations import Registrations
from runtime.routing.table import ResourceTable
from runtime.sse import encode
from runtime.storage.kv.memory import MemoryKeyValueStore
from runtime.storage.kv.sqlite import SqliteKeyValueStore

LIMIT_S = 20.0


def keep(table: ResourceTable, entry: Entry) -> None:
    if table.accepts(entry, EVERYBODY):
        table.add(entry)


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
    table = ResourceTable(MODEL)
    await Registrations(table, store).load()
    await store.close()
    return table


async def test_a_registration_is_there_after_a_restart_with_all_it_says(
    store: SqliteKeyValueStore, tmp_path: Path
) -> None:
    entry = registered("mine", kind="embedding", metadata={"embedding_dimension": 8, "é": [1]}, created=7)
    await Registrations(ResourceTable(MODEL), store).add(entry, EVERYBODY)
    assert (await reopened(tmp_path / "kv.db")).find("mine", EVERYBODY) == entry


async def test_each_user_may_register_so_many(store: SqliteKeyValueStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allotment, "MOST_REGISTERED", 2)
    registrations = Registrations(ResourceTable(MODEL), store)
    ann, bob = User(principal="ann"), User(principal="bob")
    for name in ("a", "b"):
        await registrations.add(registered(name, owner=ann), ann)
        await registrations.add(registered(f"{name}-of-nobody"), EVERYBODY)
    for owner, who in ((ann, "User `ann` has"), (None, "Callers without a name have")):
        with pytest.raises(RequestError, match=f"{who} registered 2 models") as refused:
            await registrations.add(registered("c", owner=owner), owner or EVERYBODY)
        assert (refused.value.status, refused.value.code) == (400, "too_many_models")
    await registrations.add(registered("a", owner=ann, metadata={"changed": True}), ann)
    await registrations.add(registered("c", owner=bob), bob)
    await registrations.remove("b", ann)
    await registrations.add(registered("d", owner=ann), ann)


async def test_what_was_removed_stays_removed(store: SqliteKeyValueStore, tmp_path: Path) -> None:
    registrations = Registrations(ResourceTable(MODEL), store)
    await registrations.add(registered("mine"), EVERYBODY)
    await registrations.remove("mine", EVERYBODY)
    assert (await reopened(tmp_path / "kv.db")).entries(EVERYBODY) == []
    with pytest.raises(NotFound):
        await registrations.remove("mine", EVERYBODY)


async def test_a_refused_registration_leaves_nothing(store: SqliteKeyValueStore, tmp_path: Path) -> None:
    registrations = Registrations(ResourceTable(MODEL), store)
    await registrations.add(registered("mine"), EVERYBODY)
    with pytest.raises(Conflict):
        await registrations.add(registered("mine", provider="llama"), EVERYBODY)
    assert [one.provider_id for one in (await reopened(tmp_path / "kv.db")).entries(EVERYBODY)] == ["groq"]


async def test_a_bare_name_of_several_providers_can_be_registered() -> None:
    table = ResourceTable(MODEL)
    for provider in ("groq", "llama"):
        table.replace_listed(
            provider, [Entry(id=f"{provider}/scout", provider_id=provider, provider_resource_id="scout")]
        )
    await Registrations(table, MemoryKeyValueStore()).add(registered("scout"), EVERYBODY)
    found = table.find("scout", EVERYBODY)
    assert found is not None and found.provider_id == "groq"


async def test_what_the_run_config_names_is_not_stored_again(store: SqliteKeyValueStore, tmp_path: Path) -> None:
    table = ResourceTable(MODEL)
    keep(table, Entry(id="mine", provider_id="groq", provider_resource_id="scout", source="config"))
    await Registrations(table, store).add(registered("mine"), EVERYBODY)
    assert (await reopened(tmp_path / "kv.db")).entries(EVERYBODY) == []


class FullDisk(MemoryKeyValueStore):
    """Stands in for a disk that is full, which a test cannot make."""

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        raise Unavailable("the disk is full")


async def test_what_could_not_be_stored_is_not_served() -> None:
    table = ResourceTable(MODEL)
    with pytest.raises(Unavailable):
        await Registrations(table, FullDisk()).add(registered("mine"), EVERYBODY)
    assert table.entries(EVERYBODY) == []


class Unsteady(MemoryKeyValueStore):
    """A store that waits before each write until it may go on, and fails when told to. asked: a write has begun."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self.fails = False

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        await self._write()
        await super().set(key, value, ttl_s=ttl_s)

    async def delete(self, key: str) -> bool:
        await self._write()
        return await super().delete(key)

    async def _write(self) -> None:
        self.asked.set()
        await self.may_go_on.wait()
        if self.fails:
            raise Unavailable("the disk is full")


async def on_disk(store: MemoryKeyValueStore) -> list[str]:
    return [key.removeprefix("registrations/model/") for key, _ in await store.scan("")]


async def test_what_could_not_be_removed_is_still_served() -> None:
    table, store = ResourceTable(MODEL), Unsteady()
    registrations = Registrations(table, store)
    store.may_go_on.set()
    await registrations.add(registered("mine"), EVERYBODY)
    store.fails = True
    with pytest.raises(Unavailable):
        await registrations.remove("mine", EVERYBODY)
    assert table.find("mine", EVERYBODY) is not None
    store.fails = False
    await registrations.remove("mine", EVERYBODY)
    assert (table.find("mine", EVERYBODY), await on_disk(store)) == (None, [])


async def left_alone(asking: asyncio.Task[Any], store: Unsteady) -> None:
    """The client leaves while the store is written."""
    await store.asked.wait()
    asking.cancel()
    await asyncio.sleep(0)
    store.may_go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await asking


@pytest.mark.parametrize("change", ["add", "remove"])
async def test_a_client_that_leaves_changes_the_table_and_the_disk_alike(change: str) -> None:
    table, store = ResourceTable(MODEL), Unsteady()
    registrations = Registrations(table, store)
    if change == "remove":
        store.may_go_on.set()
        await registrations.add(registered("mine"), EVERYBODY)
        store.may_go_on.clear()
        store.asked.clear()
    work = (
        registrations.add(registered("mine"), EVERYBODY) if change == "add" else registrations.remove("mine", EVERYBODY)
    )
    await left_alone(asyncio.create_task(work), store)
    expected = ["mine"] if change == "add" else []
    assert ([one.id for one in table.entries(EVERYBODY)], await on_disk(store)) == (expected, expected)


async def test_what_fails_after_the_client_has_left_is_told(caplog: pytest.LogCaptureFixture) -> None:
    table, store = ResourceTable(MODEL), Unsteady()
    registrations = Registrations(table, store)
    store.fails = True
    await left_alone(asyncio.create_task(registrations.add(registered("mine"), EVERYBODY)), store)
    assert table.entries(EVERYBODY) == []
    [record] = caplog.records
    assert record.__dict__["work"] == "Registrations._add"
    assert record.exc_info and "the disk is full" in str(record.exc_info[1])


async def test_of_two_that_want_one_name_at_once_the_first_has_it_everywhere() -> None:
    table, store = ResourceTable(MODEL), Unsteady()
    registrations = Registrations(table, store)
    first = asyncio.create_task(registrations.add(registered("mine", provider="groq"), EVERYBODY))
    await store.asked.wait()
    second = asyncio.create_task(registrations.add(registered("mine", provider="llama"), EVERYBODY))
    await asyncio.sleep(0)
    store.may_go_on.set()
    await first
    with pytest.raises(Conflict):
        await second
    reopened_table = ResourceTable(MODEL)
    await Registrations(reopened_table, store).load()
    for found in (table.find("mine", EVERYBODY), reopened_table.find("mine", EVERYBODY)):
        assert found is not None and found.provider_id == "groq"


async def test_a_stored_name_that_another_provider_s_id_begins_is_told_and_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = MemoryKeyValueStore()
    await Registrations(ResourceTable(MODEL), store).add(registered("openai/gpt", "groq"), EVERYBODY)
    table = ResourceTable(MODEL)
    table.set_providers(["openai", "groq"])
    await Registrations(table, store).load()
    assert table.entries(EVERYBODY) == []
    assert [record.__dict__["key"] for record in caplog.records] == ["registrations/model/openai/gpt"]


async def test_an_unreadable_registration_is_told_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryKeyValueStore()
    await store.set("registrations/model/a", b"{")
    await store.set("registrations/model/b", encode({"id": "b"}))
    await store.set("registrations/model/b2", encode({"id": 2, "provider_id": "p", "provider_resource_id": "c"}))
    sound = {"id": "b3", "provider_id": "p", "provider_resource_id": "c"}
    for place, unsound in enumerate(({"metadata": 5}, {"kind": ["llm"]}, {"created": "today"}, {"metadata": None})):
        await store.set(f"registrations/model/b3{place}", encode(sound | unsound))
    await store.set(
        "registrations/model/c",
        encode({**sound, "id": "c", "source": "elsewhere", "of_a_newer_version": 1}),
    )
    table = ResourceTable(MODEL)
    with caplog.at_level(logging.ERROR):
        await Registrations(table, store).load()
    assert [one.id for one in table.entries(EVERYBODY)] == ["c"]
    assert [record.__dict__["key"] for record in caplog.records] == [
        f"registrations/model/{name}" for name in ("a", "b", "b2", "b30", "b31", "b32", "b33")
    ]


class Keeper:
    """Keeps what is registered, and takes it once it may."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.is_asked, self.may_take = asyncio.Event(), asyncio.Event()

    def check_owner(self, entry: Entry) -> None:
        pass

    async def take_registration(self, entry: Entry, before: Entry | None) -> Entry:
        self.is_asked.set()
        await self.may_take.wait()
        self.kept.append(entry.id)
        return replace(entry, facts={"before": before.id if before else None})

    async def release_registration(self, entry: Entry) -> None:
        self.kept.remove(entry.id)


async def test_a_provider_takes_what_is_to_be_kept_and_nothing_else() -> None:
    keeper = Keeper()
    keeper.may_take.set()
    registrations = Registrations(ResourceTable(MODEL), MemoryKeyValueStore(), keeper)
    assert (await registrations.add(registered("mine"), EVERYBODY)).facts == {"before": None}
    assert (await registrations.add(registered("mine"), EVERYBODY)).facts == {"before": "mine"}
    with pytest.raises(Conflict):
        await registrations.add(registered("mine", provider="llama"), EVERYBODY)
    assert keeper.kept == ["mine", "mine"]


async def test_what_could_not_be_stored_is_given_up_by_its_provider() -> None:
    keeper = Keeper()
    keeper.may_take.set()
    with pytest.raises(Unavailable):
        await Registrations(ResourceTable(MODEL), FullDisk(), keeper).add(registered("mine"), EVERYBODY)
    assert keeper.kept == []


async def test_one_that_is_registered_again_is_removed_after_that_and_others_do_not_wait() -> None:
    keeper, table = Keeper(), ResourceTable(MODEL)
    registrations = Registrations(table, MemoryKeyValueStore(), keeper)
    keep(table, registered("mine"))
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as tasks:
        adding = tasks.create_task(registrations.add(registered("mine"), EVERYBODY))
        await keeper.is_asked.wait()
        keep(table, registered("other", resource="other"))
        removing = tasks.create_task(registrations.remove("mine", EVERYBODY))
        keeper.kept.append("other")
        await registrations.remove("other", EVERYBODY)
        assert not adding.done() and not removing.done()
        keeper.may_take.set()
    assert keeper.kept == []
    assert table.entries(EVERYBODY) == []
