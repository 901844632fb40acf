"""Llama Guard at SambaNova."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Answered, Client
from runtime.conformance.stacks import run_config
from runtime.conformance.upstream import refusal, upstream_server
from tests.support.guard_model import HARMFUL, HARMLESS
from tests.support.sambanova import GUARD, SambaNova
from tests.support.stacks import serving

KEY = "sk-configured-secret"


@asynccontextmanager
async def asking(folder: Path, vendor: SambaNova, *, shield: str = GUARD, **config: Any) -> AsyncIterator[Client]:
    provider = {"provider_id": "there", "provider_type": "remote::sambanova"}
    run = run_config(
        providers={"safety": [{**provider, "config": {"url": vendor.url, **config}}]},
        registered_resources={"shields": [{"shield_id": "s", "provider_shield_id": shield}]},
    )
    async with serving(run, folder) as served:
        yield served.client


@pytest_asyncio.fixture
async def vendor() -> AsyncIterator[SambaNova]:
    async with upstream_server(make=SambaNova) as running:
        running.key = KEY
        yield running


async def run(client: Client, *messages: Any, key: str | None = None, **params: Any) -> Answered:
    said = [{"role": "user", "content": one} if isinstance(one, str) else one for one in messages]
    headers = {"x-llamastack-provider-data": json.dumps({"sambanova_api_key": key})} if key else {}
    return await client.post(
        "/v1/safety/run-shield", {"shield_id": "s", "messages": said, "params": params}, headers=headers
    )


def chats(vendor: SambaNova) -> list[Any]:
    return [seen.json() for seen in vendor.calls("/chat/completions")]


@pytest.mark.parametrize("shield", [GUARD, f"sambanova/{GUARD}"])
async def test_the_conversation_is_sent(tmp_path: Path, vendor: SambaNova, shield: str) -> None:
    async with asking(tmp_path, vendor, shield=shield, api_key=KEY) as client:
        answered = {"role": "assistant", "content": HARMFUL}
        found = (await run(client, HARMLESS, answered)).json()["violation"]
        assert found["metadata"]["violation_type"] == "S1"
    [sent] = chats(vendor)
    assert sent == {
        "model": GUARD,
        "messages": [{"role": "user", "content": HARMLESS}, answered],
        "temperature": 0,
        "max_completion_tokens": 100,
        "stream": False,
    }


async def test_the_task_is_sent_for_categories_of_one_s_own(tmp_path: Path, vendor: SambaNova) -> None:
    vendor.template = False
    async with asking(tmp_path, vendor, api_key=KEY, form="task") as client:
        own = {"code": "S1", "name": "Bombs"}
        found = (await run(client, HARMFUL, categories=[own])).json()["violation"]
        assert found["metadata"] == {"categories": ["Bombs"], "violation_type": "S1"}
        assert "S1: Bombs." in chats(vendor)[-1]["messages"][0]["content"]


async def test_a_caller_brings_the_key(tmp_path: Path, vendor: SambaNova) -> None:
    async with asking(tmp_path, vendor) as client:
        answer = await run(client, HARMLESS)
        assert answer.status == 401 and "SAMBANOVA_API_KEY" in answer.error["message"]
        assert "`sambanova_api_key`" in answer.error["message"] or "`there_api_key`" in answer.error["message"]
        assert not chats(vendor)
        assert (await run(client, HARMLESS, key=KEY)).json() == {"violation": None}
        wrong = await run(client, HARMLESS, key="sk-wrong")
        assert (wrong.status, wrong.error["code"]) == (401, "invalid_api_key")
        health = (await client.get("/v1/providers/there")).json()["health"]
        assert health["state"] == "needs-key"


async def test_a_model_that_it_does_not_serve_is_no_shield(tmp_path: Path, vendor: SambaNova) -> None:
    async with asking(tmp_path, vendor, api_key=KEY) as client:
        made = {"shield_id": "new", "provider_id": "there", "provider_shield_id": "Meta-Llama-Guard-2-8B"}
        answer = await client.post("/v1/shields", made)
        assert (answer.status, answer.error["param"]) == (400, "provider_shield_id")
        assert f"`{GUARD}`" in answer.error["message"]
        assert (await client.post("/v1/shields", {**made, "provider_shield_id": f"sambanova/{GUARD}"})).status == 200
        vendor.models.remove(GUARD)
        answer = await run(client, HARMLESS)
        assert (answer.status, answer.error["param"]) == (404, "shield_id")


async def test_a_shield_may_be_registered_while_it_does_not_answer(tmp_path: Path, vendor: SambaNova) -> None:
    async def fail(_: Any) -> Any:
        return refusal(503, "down")

    async with asking(tmp_path, vendor, api_key=KEY) as client:
        vendor.misbehaves = fail
        made = {"shield_id": "new", "provider_id": "there", "provider_shield_id": GUARD}
        assert (await client.post("/v1/shields", made)).status == 200
        assert (await client.get("/v1/providers/there")).json()["health"]["status"] == "Error"


async def test_a_list_that_makes_no_sense_is_told(tmp_path: Path, vendor: SambaNova) -> None:
    async with asking(tmp_path, vendor, api_key=KEY) as client:
        vendor.listed = lambda: {"data": [{"name": GUARD}]}  # type: ignore[method-assign]
        assert (await client.get("/v1/providers/there")).json()["health"]["status"] == "Error"
