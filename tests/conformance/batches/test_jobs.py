"""What the jobs of batches leave when they have ended, and that nothing of it stands in the way of later ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.conformance.upstream import Upstream, upstream_server
from runtime.providers.batches._shared.tables import BATCHES as TABLE
from runtime.storage.jobs.records import JOBS
from runtime.storage.sql import Delete, Select, SqlStore, Statement, Update, eq
from tests.conformance.batches.asking import BATCHES, CHAT, LIMIT_S, Asking, asking_at, jsonl, lines
from tests.conformance.batches.held import Held


@pytest_asyncio.fixture
async def vendor() -> AsyncIterator[Upstream]:
    async with upstream_server() as found:
        yield found


@pytest_asyncio.fixture
async def asking(vendor: Upstream, tmp_path: Path) -> AsyncIterator[Asking]:
    async with asking_at(vendor, tmp_path) as found:
        yield found


async def test_none_is_left_of_a_batch_that_has_ended(asking: Asking) -> None:
    await asking.completed(*lines(2))
    async with asyncio.timeout(LIMIT_S):
        while await asking.served.stack._jobs.store.select(Select(JOBS)):
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_a_key_can_be_used_again_once_its_batch_is_forgotten(
    asking: Asking, vendor: Upstream, is_cancelled: bool
) -> None:
    """Retention may remove batches and leave jobs."""
    vendor.misbehaves = held = Held()
    first = await asking.create(*lines(1))
    await held.until(1)
    asked = {
        "input_file_id": await asking.upload(jsonl(*lines(2))), "endpoint": CHAT, "completion_window": "24h",
        "idempotency_key": "nightly",
    }  # fmt: skip
    batch = await asking.done("POST", BATCHES, asked)
    if is_cancelled:
        await asking.done("POST", f"{BATCHES}/{batch['id']}/cancel")
    held.let()
    await asking.ended(first)
    assert (await asking.ended(batch))["status"] == ("cancelled" if is_cancelled else "completed")
    await asking.adapter._store.write(Delete(TABLE, eq("id", batch["id"])))
    again = await asking.ended(await asking.done("POST", BATCHES, asked))
    assert (again["id"], again["status"]) == (batch["id"], "completed")


async def test_a_provider_with_another_id_goes_on_with_what_was_begun(vendor: Upstream, tmp_path: Path) -> None:
    vendor.misbehaves = held = Held()
    async with asking_at(vendor, tmp_path, persistent=True) as asking:
        batch = await asking.create(*lines(2))
        await held.until(2)
    held.let()
    async with asking_at(vendor, tmp_path, persistent=True, provider_id="renamed") as asking:
        assert (await asking.ended(batch))["status"] == "completed"


async def test_a_file_that_was_written_before_a_death_is_not_written_again(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, deaths = asking.adapter._ending._store, list[str]()
    write = SqlStore.write

    async def dying(self: SqlStore, *statements: Statement) -> list[int]:
        [first, *_] = statements
        if not deaths and isinstance(first, Update) and "output_file_id" in first.values:
            deaths.append(first.values["output_file_id"])
            raise RuntimeError("it is killed between the file and its id")
        return await write(self, *statements)

    monkeypatch.setattr(type(store), "write", dying)
    batch = await asking.completed(*lines(2), "no")
    files = (await asking.done("GET", "/v1/files?purpose=batch_output"))["data"]
    assert deaths == [batch["output_file_id"]]
    assert {one["id"] for one in files} == {batch["output_file_id"], batch["error_file_id"]} and len(files) == 2
