"""The last hour in a few numbers."""

from __future__ import annotations

import time

import pytest

from runtime.telemetry import conventions as names
from runtime.telemetry import last_hour
from runtime.telemetry.last_hour import LastHour, Summary
from runtime.telemetry.spans import Attribute, Kind, Span
from tests.unit.telemetry._seen import Seen


def ended(seconds: float, attributes: dict[str, Attribute], kind: Kind = "server") -> Span:
    trace = Seen().begin().trace
    return Span(trace, "1" * 16, None, "a", kind, attributes, began=10.0, ended=10.0 + seconds)


def request(seconds: float, status: int = 200) -> Span:
    return ended(seconds, {names.METHOD: "POST", names.STATUS: status})


def chat(operation: str, asked: int, answered: int, usd: float | None = None) -> Span:
    counts: dict[str, Attribute] = {names.INPUT_TOKENS: asked, names.OUTPUT_TOKENS: answered}
    cost: dict[str, Attribute] = {} if usd is None else {names.COST_USD: usd}
    return ended(0.1, {names.OPERATION: operation, **counts, **cost}, kind="internal")


async def test_requests_failures_times_and_tokens_are_counted() -> None:
    hour = LastHour()
    assert hour.summary() == Summary(0, 0, None, 0, 0, 0.0)
    await hour.export([request(0.010) for _ in range(94)], 0)
    await hour.export([request(2.0, 503), *(request(0.5, 404) for _ in range(5))], 0)
    await hour.export([chat("chat", 7, 3, 0.25), chat("embeddings", 5, 0, 0.5), chat("invoke_agent", 7, 3)], 0)
    found = hour.summary()
    assert (found.requests, found.errors, found.input_tokens, found.output_tokens) == (100, 1, 12, 3)
    assert found.cost_usd == 0.75
    assert found.p95_ms == pytest.approx(500, rel=0.05)


async def test_what_is_older_than_an_hour_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    hour, now = LastHour(), time.perf_counter()
    for minutes in range(0, 180, 1):
        monkeypatch.setattr(last_hour.time, "perf_counter", lambda at=now + 60 * minutes: at)
        await hour.export([request(0.1)], 0)
        assert hour.summary().requests == min(minutes + 1, 60)
    monkeypatch.setattr(last_hour.time, "perf_counter", lambda: now + 60 * 300)
    assert hour.summary().requests == 0
