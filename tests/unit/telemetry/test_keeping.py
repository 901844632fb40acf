"""How spans get onto the disk: what cannot be written yet waits, and what never can costs nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from runtime.errors import RequestError, Unavailable
from runtime.providers.telemetry.builtin import kept as kept_module
from runtime.providers.telemetry.builtin.kept import Kept
from runtime.providers.telemetry.builtin.rows import columns_of
from runtime.providers.telemetry.builtin.shapes import Shapes
from runtime.sse import decode
from runtime.storage.analytics.tables import AnalyticsTable
from runtime.telemetry.spans import Shape, begin_trace
from tests.unit.telemetry._seen import Seen


class Disk:
    """Stands in for `Analytics`, so that it can fail as a disk does."""

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.shapes: list[str] = []
        self.refused: set[str] = set()
        self.error: Exception | None = None
        self.free = asyncio.Event()
        self.free.set()

    async def append(self, table: AnalyticsTable, rows: Sequence[dict[str, Any]]) -> None:
        self._check(table)
        self.shapes += [row["name"] for row in rows]

    async def append_columns(self, table: AnalyticsTable, columns: Mapping[str, Any]) -> None:
        await self.free.wait()
        self._check(table)
        self.rows += columns["request_id"].split("\n")

    def _check(self, table: AnalyticsTable) -> None:
        if self.error is not None and (not self.refused or table.name in self.refused):
            raise self.error


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
    [lines] = columns_of(seen.spans, 0.0, Shapes(lambda: 0.0))["spans"]
    odd, fine = (decode(line[1:-1].encode()) for line in lines.split("\n"))
    assert (odd["name"], odd["message"]) == ("no ?", "no ?")
    assert odd["attributes"] == {"a": "no ?", "more": ["no ?"], "count": 2}
    assert fine["name"] == "fine"


async def shaped(kept: Kept, *shapes: Shape) -> None:
    seen = Seen()
    for shape in shapes:
        span = begin_trace(seen, "", {}, request_id=shape.name)
        span.name, span.shape = shape.name, shape
        span.end()
    await kept.export(seen.spans, 0.0)


@pytest.mark.parametrize("refused", ["shapes", "traces"])
async def test_what_spans_have_in_common_is_written_once_and_before_them(disk: Disk, refused: str) -> None:
    kept = Kept(disk)  # type: ignore[arg-type]
    one, other = Shape("one", {"a": 1}), Shape("other", {"a": 1})
    disk.error, disk.refused = Unavailable("the disk is full"), {refused}
    await shaped(kept, one, one)
    await kept.write()
    assert (disk.shapes, disk.rows) == ([] if refused == "shapes" else ["one"], [])
    disk.error = None
    await shaped(kept, other, one, Shape("one", {"a": 1}))
    await kept.write()
    assert (disk.shapes, disk.rows) == (["one", "other"], ["one", "one", "other", "one", "one"])


async def test_a_shape_that_was_lost_is_written_for_those_that_follow(disk: Disk) -> None:
    kept, one = Kept(disk), Shape("one", {})  # type: ignore[arg-type]
    disk.error = RequestError("`shapes` cannot hold these rows")
    await shaped(kept, one)
    await kept.write()
    disk.error = None
    await shaped(kept, one)
    await kept.write()
    assert (disk.shapes, disk.rows) == (["one"], ["one"])


async def test_an_id_of_two_lines_is_one(disk: Disk) -> None:
    kept = Kept(disk)  # type: ignore[arg-type]
    await told(kept, "a\nb", "c")
    await kept.write()
    assert disk.rows == ["a b", "c"]
