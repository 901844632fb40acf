"""How a batch ends otherwise than by itself, and that each of its lines is in one of its files all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.conformance.upstream import Upstream, upstream_server
from runtime.providers._background.asking import NobodyAnswers
from runtime.providers.batches._shared import creating, running
from runtime.providers.batches._shared.answering import AnsweringHere
from runtime.providers.batches._shared.endpoints import Endpoint
from runtime.providers.batches._shared.input_lines import Line
from runtime.providers.batches._shared.tables import BATCHES as TABLE
from runtime.providers.batches._shared.tables import LINES
from runtime.storage.sql import Select, SqlStore, Update, eq
from tests.conformance.batches.asking import BATCHES, CHAT, Asking, Json, asking_at, jsonl, line, lines
from tests.conformance.batches.held import Held, until

IDS = [f"line-{number}" for number in range(6)]


@pytest_asyncio.fixture
async def vendor() -> AsyncIterator[Upstream]:
    async with upstream_server() as found:
        yield found


@pytest_asyncio.fixture
async def asking(vendor: Upstream, tmp_path: Path) -> AsyncIterator[Asking]:
    """A batch at once, two lines at once."""
    config = {"max_concurrent_requests_per_batch": 2}
    async with asking_at(vendor, tmp_path, config=config) as found:
        yield found


@pytest.fixture
def held(vendor: Upstream) -> Held:
    vendor.misbehaves = held = Held()
    return held


async def cancelled(asking: Asking, batch: Json) -> Json:
    found: Json = await asking.done("POST", f"{BATCHES}/{batch['id']}/cancel")
    return found


async def files_of(asking: Asking, batch: Json) -> tuple[list[str], list[str]]:
    """The ids in its files, in order."""
    output, errors = await asking.output(batch), await asking.errors(batch)
    return [one["custom_id"] for one in output], [one["custom_id"] for one in errors]


def store_of(asking: Asking) -> SqlStore:
    return asking.adapter._store


async def test_cancelling_keeps_what_was_answered_and_names_the_rest(asking: Asking, held: Held) -> None:
    batch = await asking.create(*lines(6))
    held.let(3)
    await held.until(5)
    await until(asking, batch, completed=3)
    first = await cancelled(asking, batch)
    assert first["status"] in ("cancelling", "cancelled") and first["cancelling_at"]
    ended = await asking.ended(batch)
    assert ended["status"] == "cancelled" and ended["cancelled_at"] and ended["completed_at"] is None
    assert ended["request_counts"] == {"total": 6, "completed": 3, "failed": 3}
    done, left = await files_of(asking, ended)
    assert sorted(done + left) == IDS and done == sorted(done) and left == sorted(left) and len(done) == 3
    assert {one["error"]["code"] for one in await asking.errors(ended)} == {"batch_cancelled"}
    assert await cancelled(asking, batch) == ended, "again changes nothing"
    assert len(held.asked) == 5, "no line was asked after it"


async def test_cancelling_what_waits_for_its_turn_ends_it_at_once(asking: Asking, held: Held) -> None:
    first = await asking.create(*lines(6))
    await held.until(2)
    second = await asking.create(*lines(2))
    assert (await cancelled(asking, second))["status"] in ("cancelling", "cancelled")
    ended = await asking.ended(second)
    assert ended["status"] == "cancelled" and await files_of(asking, ended) == ([], IDS[:2])
    held.let()
    assert (await asking.ended(first))["status"] == "completed" and len(held.asked) == 6


async def test_cancelling_leaves_the_vendor(asking: Asking, held: Held, vendor: Upstream) -> None:
    batch = await asking.create(*lines(2))
    await held.until(2)
    await cancelled(asking, batch)
    async with asyncio.timeout(20):
        await vendor.ended_early.wait()


async def test_it_expires_with_what_was_answered(asking: Asking, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(creating, "WINDOW_S", 1)
    held.let(1)
    batch = await asking.create(*lines(3))
    ended = await asking.ended(batch)
    assert (ended["status"], ended["request_counts"]) == ("expired", {"total": 3, "completed": 1, "failed": 2})
    assert ended["expired_at"] and len((await files_of(asking, ended))[0]) == 1
    assert {one["error"]["code"] for one in await asking.errors(ended)} == {"batch_expired"}
    error = await asking.refused(409, f"{BATCHES}/{batch['id']}/cancel")
    assert "`expired`" in error["message"]


async def test_input_that_is_deleted_before_its_turn_fails_it(asking: Asking, held: Held) -> None:
    first = await asking.create(line("a"))
    await held.until(1)
    file_id = await asking.upload(jsonl(*lines(2)))
    asked = {"input_file_id": file_id, "endpoint": CHAT, "completion_window": "24h"}
    second = await asking.done("POST", BATCHES, asked)
    await asking.done("DELETE", f"/v1/files/{file_id}")
    held.let()
    await asking.ended(first)
    ended = await asking.ended(second)
    assert ended["status"] == "failed" and ended["failed_at"]
    [error] = ended["errors"]["data"]
    assert error["code"] == "input_file_missing" and file_id in error["message"]


async def test_so_many_batches_and_lines_are_asked_at_once(asking: Asking, held: Held) -> None:
    batches = [await asking.create(*lines(4)) for _ in range(2)]
    await held.until(2)
    held.let()
    ended = [await asking.ended(batch) for batch in batches]
    assert held.most == 2 and ended[0]["completed_at"] <= ended[1]["in_progress_at"]


async def test_nothing_of_its_lines_stays_in_the_tables(asking: Asking) -> None:
    batch = await asking.completed(*lines(4), "no")
    assert await store_of(asking).select(Select(LINES)) == [] and batch["output_file_id"]


async def test_lines_that_were_kept_are_not_asked_again(vendor: Upstream, tmp_path: Path) -> None:
    """A stack that stops lets its batches lie; the next one goes on with them."""
    vendor.misbehaves = held = Held(free=3)
    config = {"max_concurrent_requests_per_batch": 2}
    async with asking_at(vendor, tmp_path, config=config, persistent=True) as asking:
        batch = await asking.create(*lines(6), "no")
        await held.until(5)
        await until(asking, batch, completed=3)
    held.let()
    async with asking_at(vendor, tmp_path, config=config, persistent=True) as asking:
        ended = await asking.ended(batch)
        assert ended["status"] == "completed" and ended["request_counts"] == {"total": 7, "completed": 6, "failed": 1}
        assert await files_of(asking, ended) == (IDS, [None])
    assert len(held.asked) == 8, "those that were in flight were asked twice, no other"


@pytest.mark.parametrize("status", ["validating", "in_progress", "cancelling", "finalizing"])
async def test_a_batch_whose_job_was_not_kept_is_begun_by_the_next_start(asking: Asking, status: str) -> None:
    """As a process leaves it that dies between writing the one and the other."""
    batch = await asking.completed(*lines(2))
    change = {
        "id": f"batch_{status}", "status": status, "ended_at": None, "completed": 0,
        "outcome": {"cancelling": "cancelled", "finalizing": "completed"}.get(status), "output_file_id": None,
    }  # fmt: skip
    await store_of(asking).write(Update(TABLE, change, eq("id", batch["id"])))
    await asking.adapter.start()
    ended = await asking.ended({"id": f"batch_{status}"})
    assert ended["status"] == ("cancelled" if status == "cancelling" else "completed")
    assert len((await files_of(asking, ended))[status == "cancelling"]) == (0 if status == "finalizing" else 2)


async def test_a_batch_waits_while_nobody_answers(asking: Asking, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its first line, and again among them: none of them fails, and those that were answered are kept."""
    begun, answer = list[str](), AnsweringHere.answer

    async def begin(self: AnsweringHere) -> None:
        begun.append("again")
        if len(begun) < 3:
            raise NobodyAnswers("nobody is there")

    async def answered(self: AnsweringHere, endpoint: Endpoint, line: Line) -> bytes:
        if len(begun) == 3 and line.number > 4:
            await until(asking, batch, completed=4)
            raise NobodyAnswers("they have left")
        return await answer(self, endpoint, line)

    monkeypatch.setattr(running, "_AGAIN_S", 0.01)
    monkeypatch.setattr(AnsweringHere, "begin", begin)
    monkeypatch.setattr(AnsweringHere, "answer", answered)
    held.let()
    batch = await asking.create(*lines(6))
    ended = await asking.ended(batch)
    assert (ended["status"], ended["request_counts"]) == ("completed", {"total": 6, "completed": 6, "failed": 0})
    assert await files_of(asking, ended) == (IDS, []) and len(begun) == 4
    assert len(held.asked) == 6, "no line was asked twice"
