"""What each remote provider of a run config answers when it is asked once, with its configured key."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runtime.admin import providers as asked
from runtime.admin.providers import ask_providers
from runtime.conformance.upstream import upstream_server
from tests.support.stacks import openai_at

KEY = "sk-configured-secret"


async def outcome(tmp_path: Path, *providers: dict[str, Any]) -> list[dict[str, Any]]:
    file = tmp_path / "run.yaml"
    file.write_text(json.dumps({"version": 2, "distro_name": "t", "providers": {"inference": providers}}))
    return await ask_providers(file)


async def test_a_key_that_works_is_told_from_one_that_does_not(tmp_path: Path) -> None:
    async with upstream_server() as upstream:
        upstream.key = KEY
        works, refused = await outcome(
            tmp_path, openai_at(upstream.url, "works"), openai_at(upstream.url, "refused", api_key="sk-another-secret")
        )
    assert (works["outcome"], works["models"], works["message"]) == ("ok", 2, None)
    assert refused["outcome"] == "refused_key"
    assert "OPENAI_API_KEY" in refused["message"] and "sk-another-secret" not in refused["message"]


async def test_what_is_not_there_or_has_nothing_is_told_apart(tmp_path: Path, unused_tcp_port: int) -> None:
    async with upstream_server() as upstream:
        upstream.models = []
        rows = await outcome(
            tmp_path,
            openai_at(f"http://127.0.0.1:{unused_tcp_port}/v1", "down"),
            openai_at(upstream.url, "empty"),
            openai_at(upstream.url, "keyless", api_key=None),
            {"provider_id": "silent", "provider_type": "remote::perplexity", "config": {"api_key": KEY}},
        )
    assert [row["outcome"] for row in rows] == ["unreachable", "no_models", "needs_key", "not_asked"]
    assert len(upstream.calls("/models")) == 2  # nobody asks without a key


@pytest.mark.parametrize(("delay_s", "told"), [(0.3, "slow"), (30, "timed_out")])
async def test_slow_is_not_the_same_as_silent(
    delay_s: float, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "_SLOW_S", 0.2)
    monkeypatch.setattr(asked, "LIMIT_S", 1.0)

    async with upstream_server() as upstream:

        async def late(request: web.Request) -> web.StreamResponse:
            await asyncio.sleep(delay_s)
            return web.json_response(upstream.listed())

        upstream.misbehaves = late
        [row] = await outcome(tmp_path, openai_at(upstream.url))
    assert row["outcome"] == told
    assert row["seconds"] >= 0.2


async def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with upstream_server() as upstream:
        await outcome(tmp_path, openai_at(upstream.url))
    assert [path.name for path in tmp_path.iterdir()] == ["run.yaml"]
