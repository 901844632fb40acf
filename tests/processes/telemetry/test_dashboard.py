"""Every query of the dashboard that we ship finds something: of a real server, scraped by a real Prometheus."""

from __future__ import annotations

import asyncio
import json
import math
import re
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from runtime.conformance.upstream import EMBEDDING_MODEL, Upstream, refusal, upstream_server
from tests.support.calls import answering
from tests.support.prometheus import prometheus
from tests.support.server_process import running_server
from tests.support.stacks import openai_at

pytestmark = [pytest.mark.e2e]

DASHBOARD = Path(__file__).parents[3] / "docs/grafana/llama-stack.json"
OWN, VENDOR = "meta-reference/SmolLM2-135M-Instruct", "vendor/chat"
MESSAGES = [{"role": "user", "content": "Name a colour"}]
ENGINE = {"provider_id": "meta-reference", "provider_type": "inline::meta-reference"}
OTHERS: dict[str, list[dict[str, Any]]] = {
    "vector_io": [{"provider_id": "faiss", "provider_type": "inline::faiss"}],
    "tool_runtime": [{"provider_id": "file-search", "provider_type": "inline::file-search"}],
}
TOOLS = {"tool_groups": [{"toolgroup_id": "builtin::rag", "provider_id": "file-search"}]}
PRICE = {"models": [{"model_id": "priced", "provider_id": "vendor", "provider_model_id": "chat",
                     "metadata": {"price": {"input": 1, "output": 4}}}]}  # fmt: skip
CALLS = "gen_ai_client_operation_duration_seconds_count"
LIMIT_S = 60.0


def queries() -> Iterator[tuple[str, str]]:
    """The title and the PromQL of each target, with what Grafana puts in for its variables."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            query = re.sub(r"\$(job|instance)\b", ".*", target["expr"]).replace("$__rate_interval", "1m")
            assert "$" not in query, query
            yield panel["title"], query


@pytest.mark.smollm2
async def test_each_query_of_the_dashboard_finds_something(tmp_path: Path) -> None:
    async with upstream_server() as upstream:
        upstream.models = ["chat", EMBEDDING_MODEL]
        run = {
            "version": 2,
            "distro_name": "dashboard",
            "providers": {"inference": [openai_at(upstream.url), ENGINE], **OTHERS},
            "registered_resources": {**TOOLS, **PRICE},
            "telemetry": {"metrics": {"port": 0}},
        }
        async with running_server(run, tmp_path / "server") as server:
            store = {"name": "animals", "embedding_model": f"vendor/{EMBEDDING_MODEL}"}
            store_id = (await ask(server.url, "/v1/vector_stores", store))["id"]
            await use(server.url, upstream, store_id)
            events = [line for line in server.said if isinstance(line, dict)]
            [apart] = [line["url"] for line in events if line["message"] == "metrics are served apart"]
            async with prometheus(tmp_path, urlsplit(apart).netloc) as watching:
                await until(lambda: watching.find(CALLS))
                await use(server.url, upstream, store_id)  # a rate wants to have seen two values
                left, ends = [*queries()], asyncio.get_running_loop().time() + LIMIT_S
                while left:
                    left = [(title, query) for title, query in left if not has_value(await watching.find(query))]
                    assert not left or asyncio.get_running_loop().time() < ends, left
                    await asyncio.sleep(0.5)
                [target] = await watching.targets()
                assert (target["health"], target["lastError"]) == ("up", "")


async def test_promtool_finds_nothing_wrong(tmp_path: Path) -> None:
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("there is no promtool: install Debian's `prometheus`")
    text = b""
    async with upstream_server() as upstream:
        upstream.models = ["chat"]
        providers = {"inference": [openai_at(upstream.url)]}
        run = {"version": 2, "distro_name": "a", "providers": providers, "telemetry": {"metrics": True}}
        async with running_server(run, tmp_path / "server") as server, aiohttp.ClientSession() as session:
            await ask(server.url, "/v1/chat/completions", {"model": VENDOR, "messages": MESSAGES})

            async def has_counted() -> bool:
                nonlocal text
                async with session.get(f"{server.url}/metrics") as answer:
                    text = await answer.read()
                return CALLS.encode() in text

            await until(has_counted)
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout.strip(), checked.stderr.strip()) == (0, b"", b"")


async def use(url: str, upstream: Upstream, store_id: str) -> None:
    """One of everything that the dashboard shows."""
    for model in (OWN, VENDOR):
        chat = {"model": model, "messages": MESSAGES, "max_tokens": 8}
        await ask(url, "/v1/chat/completions", chat)
        await ask(url, "/v1/chat/completions", chat | {"stream": True, "stream_options": {"include_usage": True}})
    upstream.misbehaves = answering(lambda: refusal(429, "slow down", headers={"retry-after": "0"}))
    await ask(url, "/v1/chat/completions", {"model": VENDOR, "messages": MESSAGES}, status=429)
    upstream.misbehaves = None
    chunk = {"embedding": [0.1] * 8, "content": "A llama grazes.", "chunk_id": "a", "metadata": {"document_id": "a"}}
    await ask(url, "/v1/vector-io/insert", {"vector_store_id": store_id, "chunks": [chunk]}, status=204)
    await ask(url, f"/v1/vector_stores/{store_id}/search", {"query": "Who grazes?"})
    call = {"tool_name": "knowledge_search", "kwargs": {"query": "Who grazes?", "vector_store_ids": [store_id]}}
    await ask(url, "/v1/tool-runtime/invoke", call)


async def ask(url: str, path: str, body: dict[str, Any], *, status: int = 200) -> Any:
    async with aiohttp.ClientSession() as session, session.post(f"{url}{path}", json=body) as answer:
        said = await answer.text()
        assert answer.status == status, said
        return json.loads(said) if "json" in answer.content_type and said else said


async def until(find: Callable[[], Awaitable[Any]]) -> None:
    """Until it finds something."""
    async with asyncio.timeout(LIMIT_S):
        while not await find():
            await asyncio.sleep(0.2)


def has_value(found: list[dict[str, Any]]) -> bool:
    return any(not math.isnan(float(one["value"][1])) for one in found)
