"""A program that traces itself, with a stack as a library: what the stack does belongs to the program's span."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from runtime.client import AsyncLlamaStackAsLibraryClient, LlamaStackAsLibraryClient
from runtime.client.program_span import with_span_of_program
from tests.support.otlp_collector import Collector, collector

TRACER = TracerProvider().get_tracer("a program")


@pytest.fixture
def taking(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collector() as running:
        for name, value in {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{running.url}/v1/traces",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-key=a-secret-of-mine",
            "OTEL_BSP_SCHEDULE_DELAY": "10",
        }.items():
            monkeypatch.setenv(name, value)
        yield running


async def test_what_the_stack_does_belongs_to_the_program_s_span(
    write_config: Callable[..., Path], settings: Any, taking: Collector
) -> None:
    def use() -> int:
        with LlamaStackAsLibraryClient(write_config(), **settings) as client:
            with TRACER.start_as_current_span("my work") as span:
                assert client.http_client().get("/v1/models").headers["x-trace-id"]
            client.http_client().get("/v1/models")
            taking.until(taking.spans)
        return span.get_span_context().span_id

    mine = await asyncio.to_thread(use)
    below, alone = sorted(taking.spans(), key=lambda span: not span.parent_span_id)
    assert (int.from_bytes(below.parent_span_id), alone.parent_span_id) == (mine, b"")
    assert {span.name for span in taking.spans()} == {"GET /v1/models"}


async def test_the_same_on_a_program_s_own_event_loop(
    write_config: Callable[..., Path], settings: Any, taking: Collector
) -> None:
    async with AsyncLlamaStackAsLibraryClient(write_config(), **settings) as client:
        with TRACER.start_as_current_span("my work") as span:
            answer = await client.http_client().get("/v1/models")
        assert int(answer.headers["x-trace-id"], 16) == span.get_span_context().trace_id
    [sent] = taking.spans()
    assert int.from_bytes(sent.parent_span_id) == span.get_span_context().span_id


def test_a_context_that_is_sent_stays() -> None:
    own = [(b"Traceparent", b"00-1-2-01")]
    assert with_span_of_program(own) is own
    with TRACER.start_as_current_span("my work"):
        assert with_span_of_program(own) is own
        assert [name for name, _ in with_span_of_program([(b"a", b"b")])] == [b"a", b"traceparent"]
