"""`wolfram_alpha`: the documented request, and pods as text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.asgi import Answered, Client
from runtime.conformance.stacks import run_config, serving
from tests.conformance.tool_runtime.servers import KEY, ToolServer, tool_server


@asynccontextmanager
async def wolfram(folder: Path, **config: Any) -> AsyncIterator[tuple[Client, ToolServer]]:
    async with tool_server("wolfram-alpha") as server:
        settings = {"base_url": server.url, "api_key": KEY, **config}
        entry = {"provider_id": "wolfram", "provider_type": "remote::wolfram-alpha", "config": settings}
        async with serving(run_config(providers={"tool_runtime": [entry]}), folder) as served:
            yield served.client, server


async def ask(client: Client, query: str = "2+2") -> Answered:
    return await client.post("/v1/tool-runtime/invoke", {"tool_name": "wolfram_alpha", "kwargs": {"query": query}})


async def test_each_part_of_an_answer_stands_under_its_title(tmp_path: Path) -> None:
    async with wolfram(tmp_path) as (client, server):
        answer = await ask(client)
        assert answer.status == 200, answer.body
        assert answer.json()["content"] == "Input:\n2 + 2\n\nResult:\n4"
        assert server.keys == [KEY] and server.asked[0]["input"] == "2+2"
        [group] = (await client.get("/v1/toolgroups")).json()["data"]
        assert group["identifier"] == "builtin::wolfram_alpha"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"success": False, "error": False, "numpods": 0}, "Wolfram Alpha has no answer to this."),
        (
            {"success": False, "error": False, "didyoumeans": [{"val": "llama"}, {"val": "lama"}]},
            "Wolfram Alpha has no answer to this. It would understand: llama; lama",
        ),
        (
            {"success": False, "error": False, "didyoumeans": {"val": "llama"}},
            "Wolfram Alpha has no answer to this. It would understand: llama",
        ),
    ],
)
async def test_no_answer_is_said(given: dict[str, Any], said: str, tmp_path: Path) -> None:
    async with wolfram(tmp_path) as (client, server):
        server.answers = 200, {"queryresult": given}
        assert (await ask(client)).json()["content"] == said


@pytest.mark.parametrize(
    "given", [{"queryresult": {"success": False, "error": {"code": "1", "msg": "Invalid appid"}}}, {}, []]
)
async def test_what_is_no_answer_is_a_502_without_the_key(given: Any, tmp_path: Path) -> None:
    async with wolfram(tmp_path) as (client, server):
        server.answers = 200, given
        answer = await ask(client)
        assert (answer.status, answer.error["type"]) == (502, "upstream_error") and KEY not in answer.body.decode()


async def test_a_refused_key_is_not_shown(tmp_path: Path) -> None:
    async with wolfram(tmp_path) as (client, server):
        server.answers = 403, {"message": "no"}
        answer = await ask(client)
        assert answer.status == 502 and KEY not in answer.body.decode()
