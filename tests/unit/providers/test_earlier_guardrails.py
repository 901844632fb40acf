"""Guardrails of the run config at the door of the earlier inference API: a refusal is what the model says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config
from runtime.conformance.upstream import CHAT_MODEL, Upstream
from runtime.conformance.upstream.scripted import Script, says
from tests.support.shields import WORDS, shields, with_words
from tests.support.stacks import openai_at, serving

CHAT, TEXT, CHATS, TEXTS = (
    f"/v1/inference/{name}" for name in ("chat-completion", "completion", "batch-chat-completion", "batch-completion")
)
MODEL = f"vendor/{CHAT_MODEL}"
REFUSAL = "I cannot talk about that."
REFUSED = {"role": "assistant", "content": REFUSAL, "stop_reason": "end_of_turn"}


@pytest_asyncio.fixture
async def client(monkeypatch: pytest.MonkeyPatch, upstream: Upstream, tmp_path: Path) -> AsyncIterator[Client]:
    with_words(monkeypatch)
    run = run_config(
        providers={"inference": [openai_at(upstream.url)], "safety": [WORDS]},
        registered_resources=shields(bombs="bomb"),
        safety={"guardrails": {"input": ["bombs"], "output": ["bombs"], "window_chars": 10}},
    )
    async with serving(run, tmp_path) as running:
        yield running.client


async def done(client: Client, path: str, **body: Any) -> Any:
    answer = await client.post(path, {"model_id": MODEL, **body})
    assert answer.status == 200, answer.body
    return answer.json()


async def events(client: Client, path: str, **body: Any) -> list[Any]:
    answer = await client.post(path, {"model_id": MODEL, **body, "stream": True})
    assert answer.status == 200, answer.body
    return [json.loads(payload) for payload in answer.payloads()]


def user(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


async def test_a_chat_is_refused_in_words(client: Client, upstream: Upstream) -> None:
    assert (await done(client, CHAT, messages=user("a bomb")))["completion_message"] == REFUSED
    told = [one["event"] for one in await events(client, CHAT, messages=user("a bomb"))]
    assert "".join(one["delta"]["text"] for one in told) == REFUSAL
    assert [one["event_type"] for one in told] == ["start", "progress", "complete"]
    assert told[-1]["stop_reason"] == "end_of_turn"
    upstream.misbehaves = Script(says("a bomb"))
    assert (await done(client, CHAT, messages=user("Hello")))["completion_message"] == REFUSED


async def test_a_stream_that_is_stopped_ends_with_the_refusal(client: Client, upstream: Upstream) -> None:
    upstream.misbehaves = Script(says("Take this and ", "that and ", "a bomb"))
    told = [one["event"] for one in await events(client, CHAT, messages=user("Hello"))]
    text = "".join(one["delta"]["text"] for one in told)
    assert text.startswith("Take this") and text.endswith(REFUSAL) and "bomb" not in text
    assert told[-1]["event_type"] == "complete"


async def test_a_text_is_refused_in_words(client: Client) -> None:
    whole = await done(client, TEXT, content="a bomb")
    assert (whole["content"], whole["stop_reason"]) == (REFUSAL, "end_of_turn")
    told = await events(client, TEXT, content="a bomb")
    assert "".join(one["delta"] for one in told) == REFUSAL and told[-1]["stop_reason"] == "end_of_turn"


async def test_of_a_batch_each_is_judged_for_itself(client: Client) -> None:
    first, second = (await done(client, CHATS, messages_batch=[user("a bomb"), user("a cat")]))["batch"]
    assert first["completion_message"] == REFUSED and second["completion_message"]["content"] != REFUSAL
    texts = (await done(client, TEXTS, content_batch=["a cat", "a bomb"]))["batch"]
    assert [one["content"] == REFUSAL for one in texts] == [False, True]
