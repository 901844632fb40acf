"""Spans are handed on many at once; what cannot be kept is dropped and said, and nobody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from runtime.telemetry import batching
from runtime.telemetry.batching import BatchProcessor
from runtime.telemetry.spans import Span, begin_trace


class Kept:
    def __init__(self, error: Exception | None = None) -> None:
        self.batches: list[list[str]] = []
        self.error = error
        self.is_closed = False

    async def export(self, spans: Sequence[Span], offset_s: float) -> None:
        self.batches.append([span.name for span in spans])
        if self.error is not None:
            raise self.error

    async def close(self) -> None:
        self.is_closed = True
        if self.error is not None:
            raise self.error


def end(processor: BatchProcessor, *names: str) -> None:
    for name in names:
        begin_trace(processor, name, {}, request_id="req_1").end()


async def test_each_exporter_gets_all_of_them_also_where_another_fails(caplog: pytest.LogCaptureFixture) -> None:
    broken, kept = Kept(OSError("the disk is full")), Kept()
    processor = BatchProcessor([broken, kept])
    end(processor, "a", "b")
    await processor.flush()
    await processor.flush()
    end(processor, "c")
    await processor.flush()
    assert kept.batches == broken.batches == [["a", "b"], ["c"]]
    assert [record.levelname for record in caplog.records] == ["WARNING"]  # once
    assert caplog.records[0].__dict__["error"] == "the disk is full"
    broken.error = None
    end(processor, "d")
    await processor.flush()
    broken.error = OSError("again")
    end(processor, "e")
    await processor.flush()
    assert len(caplog.records) == 2


async def test_what_can_wait_is_noted_before_they_are_handed_on(caplog: pytest.LogCaptureFixture) -> None:
    kept, noted = Kept(), []

    def note(spans: Sequence[Span]) -> None:
        noted.append((kept.batches.copy(), [span.name for span in spans]))
        raise LookupError("no price")

    processor = BatchProcessor([kept], completed=note)
    end(processor, "a", "b")
    await processor.flush()
    assert noted == [([], ["a", "b"])]
    assert kept.batches == [["a", "b"]], "also without it"
    assert [record.__dict__["error"] for record in caplog.records] == ["no price"]


async def test_no_more_wait_than_can_be_kept(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(batching, "AT_ONCE", 1)
    monkeypatch.setattr(batching, "MOST_WAITING", 2)
    kept = Kept()
    processor = BatchProcessor([kept])
    end(processor, "a", "b", "c", "d")
    await processor.flush()
    end(processor, "e")
    await processor.flush()
    assert kept.batches == [["a", "b"], ["e"]]
    assert [record.__dict__["count"] for record in caplog.records] == [2]


async def test_a_span_ends_once() -> None:
    kept = Kept()
    processor = BatchProcessor([kept])
    span = begin_trace(processor, "a", {}, request_id="req_1")
    span.end()
    ended = span.ended
    span.end()
    await processor.flush()
    assert (kept.batches, span.ended) == ([["a"]], ended)


async def test_at_the_end_each_gets_what_is_left_also_after_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken, kept = Kept(OSError("the disk is full")), Kept()
    processor = BatchProcessor([broken])
    processor.add(kept)
    end(processor, "a")
    await processor.close()
    assert (kept.batches, kept.is_closed, broken.is_closed) == ([["a"]], True, True)
    assert [record.__dict__["count"] for record in caplog.records] == [1, 0]


async def test_at_the_end_none_waits_for_another() -> None:
    kept = Kept()

    class Waiting(Kept):
        async def close(self) -> None:
            async with asyncio.timeout(10):
                while not kept.is_closed:
                    await asyncio.sleep(0)
            await super().close()

    waiting = Waiting()
    await BatchProcessor([waiting, kept]).close()
    assert waiting.is_closed
