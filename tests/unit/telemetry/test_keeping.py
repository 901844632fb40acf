"""How spans get onto the disk: what cannot be written yet waits, and what never can costs nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from runtime.errors import RequestError, Unavailable
from runtime.providers.telemetry.builtin import kept as kept_module
from runtime.providers.telemetry.builtin.kept import Kept
from runtime.providers.telemetry.builtin.rows import columns_of
from runtime.storage.analytics.tables import AnalyticsTable
from runtime.telemetry.spans import begin_trace
from tests.unit.telemetry._seen import Seen


class Disk:
    """Stands in for `Analytics`, so that it can fail as a disk does."""

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.error: Exception | None = None
        self.free = asyncio.Event()
        self.free.set()

    async def append_columns(self, table: AnalyticsTable, columns: Mapping[str, list[Any]]) -> None:
        await self.free.wait()
        if self.error is not None:
            raise self.error
        self.rows += columns["request_id"]


@pytest.fixture
def disk() -> Disk:
    return Disk()


async def told(kept: Kept, *requests: str) -> None:
    seen = Seen()
    for request in requests:
        begin_trace(seen, "GET /", {}, request_id=request).end()
    await kept.export(seen.spans, 0.0)


async def test_what_a_full_disk_does_not_take_is_written_later_in_order(
    disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept(disk)  # type: ignore[arg-type]
    disk.error = Unavailable("the disk is full")
    for request in ("a", "b"):
        await told(kept, request)
        await kept.write()
    assert [record.getMessage() for record in caplog.records] == ["what has happened is not kept"]
    disk.error = None
    await told(kept, "c")
    await kept.close()
    assert disk.rows == ["a", "b", "c"]


async def test_what_waits_for_a_disk_has_a_limit(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kept_module, "MOST_WAITING", 2)
    kept = Kept(disk)  # type: ignore[arg-type]
    disk.error = Unavailable("the disk is full")
    for request in ("a", "b", "c"):
        await told(kept, request)
        await kept.write()
    disk.error = None
    await kept.write()
    assert disk.rows == ["a", "b"]
    assert [record.__dict__["count"] for record in caplog.records] == [1, 1]


async def test_so_has_their_text(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """With bodies, a few thousand rows are more than a server has memory for."""
    monkeypatch.setattr(kept_module, "MOST_CHARACTERS", 1000)
    kept = Kept(disk)  # type: ignore[arg-type]
    disk.error = Unavailable("the disk is full")
    for request in ("a", "b" * 900, "c"):
        seen = Seen()
        begin_trace(seen, request, {}, request_id=request).end()
        await kept.export(seen.spans, 0.0)
        await kept.write()
    disk.error = None
    await kept.write()
    assert disk.rows == ["a", "c"]
    await told(kept, "d")
    await kept.write()
    assert disk.rows == ["a", "c", "d"]


@pytest.mark.parametrize("error", [RequestError("`traces` cannot hold these rows"), UnicodeError("no text")])
async def test_what_can_never_be_written_does_not_keep_others_from_it(
    disk: Disk, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept(disk)  # type: ignore[arg-type]
    disk.error = error
    await told(kept, "a")
    await kept.write()
    disk.error = None
    await told(kept, "b")
    await kept.write()
    assert disk.rows == ["b"]
    assert [(record.getMessage(), record.__dict__["count"]) for record in caplog.records] == [
        ("traces are lost: they can never be written", 1)
    ]


async def test_whoever_asks_and_leaves_takes_nothing_along(disk: Disk) -> None:
    kept = Kept(disk)  # type: ignore[arg-type]
    await told(kept, "a")
    disk.free.clear()  # such as while the file is opened
    asking = asyncio.create_task(kept.write())
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.sleep(0)
    disk.free.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await kept.write()
    assert disk.rows == ["a"]


def test_half_a_surrogate_pair_costs_no_other_trace() -> None:
    seen = Seen()
    for name in ("no \ud800", "fine"):
        span = seen.begin()
        span.name, span.error, span.message = name, "failed", name
        span.own |= {"a": name, "more": [name], "count": 2}
        span.end()
    odd, fine = (json.loads(row)[0] for row in columns_of(seen.spans, 0.0, str)["spans"])
    assert (odd["name"], odd["message"]) == ("no ?", "no ?")
    assert odd["attributes"] == {"a": "no ?", "more": ["no ?"], "count": 2}
    assert fine["name"] == "fine"
