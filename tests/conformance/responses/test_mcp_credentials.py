"""What a request's tools hold for MCP servers goes to these and nowhere else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.stacks import Served, adapter_of, run_config, serving
from runtime.conformance.upstream import Upstream
from runtime.conformance.upstream.scripted import calls, says
from runtime.errors import UpstreamError
from runtime.sse import decode
from tests.conformance.responses.asking import MODEL, Asking, Json
from tests.conformance.responses.mcp_asking import SECRET, Servers, mcp
from tests.support.examples import servers as examples
from tests.support.mounting import mount
from tests.support.stacks import openai_at

LIMIT_S = 30.0
KEPT = "a-word-that-is-kept"
"""So that what is looked for would be found."""
URL = f"http://weather/mcp?key={SECRET}"
TOOLS = [
    mcp(server_url=URL, headers={"X-Key": SECRET}),
    mcp("other", server_url="http://other", authorization=SECRET),
]


@asynccontextmanager
async def stack(
    monkeypatch: pytest.MonkeyPatch, vendor: Upstream, folder: Path, **config: Any
) -> AsyncIterator[Served]:
    """Everything is kept in this folder."""
    connectors = [{"provider_id": "servers", "provider_type": "inline::written-down"}]
    responses = [{"provider_id": "builtin", "provider_type": "inline::builtin", "config": config}]
    providers = {"inference": [openai_at(vendor.url)], "connectors": connectors, "responses": responses}
    with monkeypatch.context() as patch:
        mount(patch, examples)
        async with serving(run_config(providers=providers, persistent=True), folder) as running:
            servers: Servers = adapter_of(running.stack, "connectors")
            servers.tools[URL] = servers.tools["http://weather"]
            yield running


def places(folder: Path, word: str) -> list[str]:
    """The files that have the word."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path.name for path in files if word.encode() in path.read_bytes()]


async def ended(served: Served, response_id: str) -> Json:
    async with asyncio.timeout(LIMIT_S):
        while True:
            answered = await served.client.get(f"/v1/responses/{response_id}")
            found: Json = answered.json()
            if found["status"] not in ("queued", "in_progress"):
                return found
            await asyncio.sleep(0.01)


async def test_credentials_reach_their_server_alone(
    upstream: Upstream, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("aiosqlite").setLevel(logging.DEBUG)
    answers: list[bytes] = []
    async with stack(monkeypatch, upstream, tmp_path) as served:
        servers: Servers = adapter_of(served.stack, "connectors")
        servers.says["book"] = UpstreamError("it is down", provider_id="servers")
        asking = Asking(served.client, upstream)
        body = {"model": MODEL, "input": KEPT, "tools": TOOLS}
        for fields in ({}, {"stream": True}, {"background": True}, {"background": True, "stream": True}):
            asking.says(
                calls(("call_1", "weather__forecast", "{}"), ("call_2", "book", "{}"), ("call_3", "sell", "{}")),
                says("Done"),
            )
            answered = await served.client.post("/v1/responses", {**body, **fields})
            assert answered.status == 200
            answers.append(answered.body)
            if fields == {"background": True}:
                found = await ended(served, answered.json()["id"])
                assert [item["type"] for item in found["output"]].count("mcp_call") == 3, found
        answers.append((await served.client.get("/v1/responses")).body)
        conversation = (await served.client.post("/v1/conversations", {})).json()["id"]
        asking.says(says("Done"))
        answers.append((await served.client.post("/v1/responses", {**body, "conversation": conversation})).body)
        answers.append((await served.client.get(f"/v1/conversations/{conversation}/items")).body)
        servers.down = UpstreamError("it is down", provider_id="servers")
        answers.append((await served.client.post("/v1/responses", body)).body)
        wrong = {**body, "tools": [{**TOOLS[0], "headers": {"a": SECRET, "b": {"c": SECRET}}, "no": SECRET}]}
        answers.append((await served.client.post("/v1/responses", wrong)).body)
        assert len(servers.called) == 12 and len({one.url for one in servers.called}) == 2
        for one in (*servers.called, *servers.listed):
            given = dict(one.headers), one.authorization
            assert given == (({"X-Key": SECRET}, None) if one.url == URL else ({}, SECRET))
            assert SECRET not in repr(one).replace(URL, "")
    assert not [body for body in answers if SECRET.encode() in body]
    assert not [call for call in upstream.seen if SECRET.encode() in call.raw]
    assert SECRET not in caplog.text and not places(tmp_path, SECRET)
    assert places(tmp_path, KEPT) and any(KEPT.encode() in call.raw for call in upstream.seen)
    shown = decode(answers[0])["tools"][0]
    assert shown["server_url"] == "http://weather/<redacted>" and shown["headers"] is None


async def test_a_response_that_waits_for_another_process_says_that_its_credentials_are_gone(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.gate.clear()
    body = {"model": MODEL, "input": "Go on", "background": True, "store": True}
    async with stack(monkeypatch, upstream, tmp_path, background_workers=1) as served:
        follower = asyncio.create_task(served.client.post("/v1/responses", {**body, "stream": True}))
        async with asyncio.timeout(LIMIT_S):
            await upstream.waiting_at_gate.wait()
        waits = [(await served.client.post("/v1/responses", {**body, "tools": tools})).json()["id"] for tools in (
            TOOLS, [mcp()])]  # fmt: skip
        follower.cancel()
    upstream.gate.set()
    async with stack(monkeypatch, upstream, tmp_path) as served:
        gone, whole = [await ended(served, one) for one in waits]
    assert gone["status"] == "failed" and "`weather` are gone" in gone["error"]["message"], gone
    assert whole["status"] == "completed", "it had none"
