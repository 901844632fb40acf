"""`GET /metrics`: what was asked of a stack, where that is counted; and on a port that has nothing else."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from runtime.config.sections import MetricsConfig
from runtime.conformance.stacks import Served, run_config, serving
from runtime.conformance.upstream import Upstream
from runtime.errors import ConfigInvalid, Conflict
from runtime.server.masking import Hidden
from runtime.server.metrics_port import served_apart
from runtime.telemetry.metrics.of_spans import SpanMetrics
from tests.support.stacks import openai_at

CHAT = {"model": "vendor/chat", "messages": [{"role": "user", "content": "a secret of mine"}]}
KEPT = {"telemetry": [{"provider_id": "builtin", "provider_type": "inline::builtin"}]}


async def scraped(served: Served) -> dict[tuple[str, ...], float]:
    """Each sample by its name and the values of its labels."""
    assert served.stack.processor is not None
    await served.stack.processor.flush()
    answer = await served.client.get("/metrics")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


@pytest.mark.parametrize("by_need", [False, True])
async def test_what_was_asked_is_counted_and_scrapes_are_not(
    upstream: Upstream, tmp_path: Path, by_need: bool, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.models = ["chat"]
    run = run_config(openai_at(upstream.url), telemetry={"metrics": True})
    async with serving(run, tmp_path, by_need=by_need) as served:
        answer = await served.client.post("/v1/chat/completions", json=CHAT, headers={"traceparent": "00-" + "1" * 32})
        assert answer.status == 200
        caplog.set_level(logging.INFO)
        caplog.clear()
        await scraped(served)
        found = await scraped(served)
        assert [record.levelname for record in caplog.records if record.name.endswith("access")] == []
        at = "http_server_request_duration_seconds_count"
        assert {name[1:]: value for name, value in found.items() if name[0] == at} == {
            ("POST", "http", "/v1/chat/completions", "200"): 1
        }
        assert found["llama_stack_requests_total", "inference", "chat_completion", "success", "200"] == 1
        used = answer.json()["usage"]
        assert found["prompt_tokens_total", "vendor/chat", "vendor"] == used["prompt_tokens"]
        assert found["llama_stack_provider_up", "inference", "vendor"] == 1
        assert found["llama_stack_concurrent_requests",] == 0
        assert not any("secret" in word for name in found for word in name)


async def test_a_trace_that_its_caller_does_not_sample_is_counted(upstream: Upstream, tmp_path: Path) -> None:
    upstream.models = ["chat"]
    async with serving(run_config(openai_at(upstream.url), telemetry={"metrics": True}), tmp_path) as served:
        headers = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-00"}
        await served.client.post("/v1/chat/completions", json=CHAT, headers=headers)
        assert (await scraped(served))["total_tokens_total", "vendor/chat", "vendor"] > 0


@pytest.mark.parametrize(
    ("section", "providers", "status"),
    [({}, {}, 404), ({"enabled": False}, KEPT, 404), ({"metrics": False}, KEPT, 404), ({}, KEPT, 200)],
)
async def test_there_are_metrics_where_traces_are_kept_unless_somebody_says_no(
    upstream: Upstream, tmp_path: Path, section: dict[str, Any], providers: dict[str, Any], status: int
) -> None:
    run = run_config(providers={"inference": [openai_at(upstream.url)], **providers}, telemetry=section)
    async with serving(run, tmp_path) as served:
        assert (await served.client.get("/metrics")).status == status
        assert (await served.client.request("HEAD", "/metrics")).status == status
        assert (await served.client.post("/metrics", json={})).status in (404, 405)


async def test_what_is_off_keeps_nothing_and_what_was_kept_is_still_read(upstream: Upstream, tmp_path: Path) -> None:
    providers = {"inference": [openai_at(upstream.url)], **KEPT}
    async with serving(run_config(providers=providers), tmp_path) as served:
        await served.client.get("/v1/models")
    async with serving(run_config(providers=providers, telemetry={"enabled": False}), tmp_path) as served:
        assert served.stack.processor is None
        await served.client.get("/v1/providers")
        [kept] = (await served.client.post("/v1/telemetry/traces", json={})).json()["data"]
        assert kept["name"] == "GET /v1/models"


async def test_pages_of_others_read_no_metrics(upstream: Upstream, tmp_path: Path) -> None:
    async with serving(run_config(openai_at(upstream.url), telemetry={"metrics": True}), tmp_path) as served:
        assert (await served.client.get("/metrics", headers={"origin": "https://evil.example"})).status == 403


async def test_a_port_of_their_own_has_them_and_nothing_else(
    upstream: Upstream, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with serving(run_config(openai_at(upstream.url), telemetry={"metrics": True}), tmp_path) as served:
        apart = served_apart(SpanMetrics(), MetricsConfig(port=0), served.stack, Hidden())
        async with apart, aiohttp.ClientSession() as session:
            url = caplog.records[-1].__dict__["url"]
            async with asyncio.timeout(20):
                async with session.get(url) as answer:
                    assert (answer.status, answer.content_type) == (200, "text/plain")
                async with session.get(url.replace("/metrics", "/v1/models")) as answer:
                    assert answer.status == 404
                    assert "this port has nothing but metrics" in (await answer.json())["error"]["message"]
                async with session.get(url, headers={"host": "evil.example"}) as answer:
                    assert answer.status == 403
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", int(url.split(":")[2].split("/")[0])), timeout=1)


async def test_a_port_that_is_taken_or_an_address_of_others_is_named(upstream: Upstream, tmp_path: Path) -> None:
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(Conflict, match=f"port {port} on 127.0.0.1 is in use"):
                async with served_apart(SpanMetrics(), MetricsConfig(port=port), served.stack, Hidden()):
                    pass
        with pytest.raises(ConfigInvalid, match=r"cannot listen on 192\.0\.2\.1:0"):
            async with served_apart(SpanMetrics(), MetricsConfig(port=0, host="192.0.2.1"), served.stack, Hidden()):
                pass
