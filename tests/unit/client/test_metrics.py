"""A program that has the stack as a library gets metrics where its environment asks for them, and not otherwise."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from runtime.client import AsyncLlamaStackAsLibraryClient
from runtime.conformance.upstream import CHAT_MODEL, Upstream
from tests.support.stacks import openai_at

ASKED = {"OGX_METRICS_ENDPOINT_ENABLED": "true", "OGX_METRICS_PORT": "0"}
CHAT = {"model": f"vendor/{CHAT_MODEL}", "messages": [{"role": "user", "content": "hello"}]}


async def test_a_program_is_scraped_at_a_port_of_its_own(
    config: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in ASKED.items():
        monkeypatch.setenv(name, value)
    caplog.set_level(logging.INFO)
    async with AsyncLlamaStackAsLibraryClient(config, **settings) as client:
        async with client.http_client() as http:
            await http.post("http://localhost/v1/chat/completions", json=CHAT)
        [url] = [record.__dict__["url"] for record in caplog.records if record.message == "metrics are served apart"]
        async with asyncio.timeout(20), aiohttp.ClientSession() as session:
            found: set[str] = set()
            while "prompt_tokens" not in found:  # it is counted within a second
                async with session.get(url) as answer:
                    found = {one.name for one in text_string_to_metric_families(await answer.text())}
    with pytest.raises(aiohttp.ClientError):
        async with aiohttp.ClientSession() as session:
            await session.get(url)


@pytest.mark.parametrize(("section", "env"), [({"metrics": {"port": 0}}, {}), ({"enabled": False}, ASKED)])
async def test_what_the_run_config_has_for_a_server_is_none_of_a_program_s(
    write_config: Callable[..., Path],
    settings: Any,
    upstream: Upstream,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    section: dict[str, Any],
    env: dict[str, str],
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    caplog.set_level(logging.INFO)
    file = write_config(providers={"inference": [openai_at(upstream.url)]}, telemetry=section)
    async with AsyncLlamaStackAsLibraryClient(file, **settings) as client, client.http_client() as http:
        assert (await http.get("http://localhost/metrics")).status_code == 404
    assert "metrics are served apart" not in caplog.messages
