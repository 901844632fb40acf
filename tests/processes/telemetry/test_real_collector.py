"""Traces arrive at a real collector: Rotel takes what our server sends, and what it passes on is what we sent.

The server, the collector and an upstream are processes or servers of their own; the last station, which only decodes
what the collector passes on, is ours.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from runtime.conformance.upstream import CHAT_MODEL, upstream_server
from tests.support.otlp_collector import Collector, collector, values_of
from tests.support.rotel import Rotel, rotel
from tests.support.server_process import running_server, server_process
from tests.support.stack_home import reserved_port
from tests.support.stacks import openai_at

pytestmark = pytest.mark.e2e
TRACE, SPAN = "ab" * 16, "cd" * 8
CALLER = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_BLRP_SCHEDULE_DELAY": "50", "OTEL_METRICS_EXPORTER": "none"}
HEADERS = "authorization=Bearer%20a-secret-of-mine"


def run_config(url: str) -> dict[str, Any]:
    """There is no provider of `telemetry`."""
    return {"version": 2, "distro_name": "traced", "providers": {"inference": [openai_at(url)]}}


def say(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in {**SOON, **variables}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def behind() -> Iterator[Collector]:
    with collector() as running:
        yield running


@pytest.fixture
def real(tmp_path: Path, behind: Collector) -> Iterator[Rotel]:
    folder = tmp_path / "rotel"
    folder.mkdir()
    with rotel(folder, behind.url) as running:
        yield running


async def chat(session: aiohttp.ClientSession, url: str) -> str:
    """Ask for a stream, as part of a caller's trace; the trace that the answer names."""
    body = {"model": CHAT_MODEL, "messages": [{"role": "user", "content": "a secret prompt"}], "stream": True}
    async with session.post(f"{url}/v1/chat/completions", json=body, headers=CALLER) as answer:
        assert (answer.status, b"[DONE]" in await answer.read()) == (200, True)
        return answer.headers["x-trace-id"]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
async def test_traces_arrive(
    tmp_path: Path, real: Rotel, behind: Collector, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(
        monkeypatch,
        OTEL_EXPORTER_OTLP_ENDPOINT=real.grpc if protocol == "grpc" else real.http,
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        OTEL_EXPORTER_OTLP_HEADERS=HEADERS,
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test",
    )
    async with (
        upstream_server() as upstream,
        running_server(run_config(upstream.url), tmp_path / "server") as server,
        aiohttp.ClientSession() as session,
    ):
        assert await chat(session, server.url) == TRACE
        request = await asyncio.to_thread(behind.until, lambda: found(behind, "POST /v1/chat/completions"))
        line = await asyncio.to_thread(behind.until, lambda: logged(behind, "POST /v1/chat/completions"))
    spans = {span.name: span for span in behind.spans() if span.trace_id.hex() == TRACE}
    call, attempt = spans[f"chat {CHAT_MODEL}"], spans["POST"]
    assert (request.parent_span_id.hex(), request.trace_state, request.kind) == (SPAN, "vendor=1", 2)
    assert (call.parent_span_id, attempt.parent_span_id) == (request.span_id, call.span_id)
    assert request.start_time_unix_nano <= call.start_time_unix_nano <= attempt.start_time_unix_nano
    assert abs(request.end_time_unix_nano / 1e9 - time.time()) < 60
    facts = values_of(call.attributes)
    assert (facts["gen_ai.operation.name"], facts["gen_ai.request.model"]) == ("chat", CHAT_MODEL)
    resource = behind.resource()
    assert {
        "service.name": "llama-stack",
        "llama_stack.distribution.name": "traced",
        "deployment.environment.name": "test",
    }.items() <= resource.items()
    assert (line.trace_id, line.span_id) == (request.trace_id, request.span_id)
    assert values_of(line.attributes)["status"] == 200
    # What the collector itself says that it took.
    said = real.log.read_text()
    assert f"Trace ID       : {TRACE}" in said and f"Name           : chat {CHAT_MODEL}" in said
    for words in (said, str(server.said), str(behind.received)):
        assert "a secret prompt" not in words and "a-secret-of-mine" not in words
    assert any(one.get("trace_id") == TRACE for one in server.said if isinstance(one, dict))


def found(behind: Collector, name: str) -> Any:
    return next((span for span in behind.spans() if span.name == name), None)


def logged(behind: Collector, message: str) -> Any:
    return next((line for line in behind.logs() if line.body.string_value == message), None)


async def test_a_server_ends_in_time_though_its_collector_does_not_answer(
    tmp_path: Path, behind: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind.holds = True
    say(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=behind.url)
    async with (
        upstream_server() as upstream,
        server_process(run_config(upstream.url), tmp_path / "server") as server,
        aiohttp.ClientSession() as session,
    ):
        await server.until("provider started")
        await chat(session, server.url)
        await asyncio.to_thread(behind.until, lambda: behind.asked)
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        assert await server.ended() == 0
        assert time.monotonic() - began < 15  # a busy machine; the exporter's own limit would be 10 for each signal
        assert "not everything stopped in time" not in str(server.said)


async def test_a_collector_that_is_down_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with reserved_port() as port:
        say(
            monkeypatch,
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
            OTEL_EXPORTER_OTLP_TIMEOUT="1500",
            OTEL_EXPORTER_OTLP_HEADERS=HEADERS,
            OTEL_LOGS_EXPORTER="none",
        )
        async with (
            upstream_server() as upstream,
            server_process(run_config(upstream.url), tmp_path / "server") as server,
            aiohttp.ClientSession() as session,
        ):
            await server.until("provider started")
            await chat(session, server.url)
            await server.until("what has happened cannot be sent")
            await chat(session, server.url)
            began = time.monotonic()
            server.signal(signal.SIGTERM)
            assert await server.ended() == 0
            assert time.monotonic() - began < 15
    told = [one for one in server.said if isinstance(one, dict) and "cannot be sent" in one["message"]]
    assert len(told) == 1
    assert (told[0]["signal"], told[0]["collector"]) == ("traces", f"http://127.0.0.1:{port}/v1/traces")
    assert "refused" in told[0]["error"]
    assert not [one for one in server.said if isinstance(one, dict) and one["logger"].startswith("opentelemetry")]
