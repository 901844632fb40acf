"""The client for coroutines: its stack runs on their event loop."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from runtime.client import AsyncLlamaStackAsLibraryClient
from runtime.conformance.upstream import CHAT_MODEL, Upstream
from runtime.errors import Conflict, Unavailable

LIMIT_S = 20.0
CHAT = f"vendor/{CHAT_MODEL}"
MESSAGES: Any = [{"role": "user", "content": "Say something about the sea"}]


def openai_over(client: AsyncLlamaStackAsLibraryClient) -> AsyncOpenAI:
    return AsyncOpenAI(base_url="http://localhost/v1", api_key="none", max_retries=0, http_client=client.http_client())


async def test_openais_client_chats_and_streams(config: Path, settings: Any, upstream: Upstream) -> None:
    async with AsyncLlamaStackAsLibraryClient(config, **settings) as client:
        completions = openai_over(client).chat.completions
        whole = (await completions.create(model=CHAT, messages=MESSAGES)).choices[0].message.content
        upstream.gate.clear()
        async with asyncio.timeout(LIMIT_S):
            parts = aiter(await completions.create(model=CHAT, messages=MESSAGES, stream=True))
            first = await anext(parts)
            await upstream.waiting_at_gate.wait()
            upstream.gate.set()
            rest = [part async for part in parts]
    text = "".join(part.choices[0].delta.content or "" for part in [first, *rest] if part.choices)
    assert whole and text == whole


async def test_whoever_leaves_a_stream_ends_it_at_the_vendor(config: Path, settings: Any, upstream: Upstream) -> None:
    upstream.gate.clear()
    try:
        async with asyncio.timeout(LIMIT_S), AsyncLlamaStackAsLibraryClient(config, **settings) as client:
            answer = await openai_over(client).chat.completions.create(model=CHAT, messages=MESSAGES, stream=True)
            await anext(aiter(answer))
            await answer.close()
            await upstream.ended_early.wait()
    finally:
        upstream.gate.set()


async def test_a_caller_that_is_cancelled_ends_its_request_at_the_vendor(
    config: Path, settings: Any, upstream: Upstream
) -> None:
    asked = asyncio.Event()

    async def never(_: Any) -> Any:
        asked.set()
        await asyncio.Event().wait()

    async with asyncio.timeout(LIMIT_S), AsyncLlamaStackAsLibraryClient(config, **settings) as client:
        await client.http_client(httpx).get("/v1/models/" + CHAT)
        upstream.misbehaves = never
        asking = asyncio.create_task(openai_over(client).chat.completions.create(model=CHAT, messages=MESSAGES))
        await asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await upstream.ended_early.wait()
        upstream.misbehaves = None


async def test_closing_ends_a_stream_with_an_error(config: Path, settings: Any, upstream: Upstream) -> None:
    upstream.gate.clear()
    try:
        async with asyncio.timeout(LIMIT_S):
            client = await AsyncLlamaStackAsLibraryClient.create(config, **settings)
            parts = aiter(await openai_over(client).chat.completions.create(model=CHAT, messages=MESSAGES, stream=True))
            await anext(parts)
            await client.aclose()
            with pytest.raises(openai.APIError, match="the stack is closing"):
                [part async for part in parts]
            await upstream.ended_early.wait()
    finally:
        upstream.gate.set()


async def test_the_first_request_opens_it_once(write_config: Callable[..., Path], settings: Any) -> None:
    client = AsyncLlamaStackAsLibraryClient(write_config(), **settings)
    try:
        at = client.http_client(httpx)
        answers = await asyncio.gather(*(at.get("/v1/health") for _ in range(5)))
        assert {answer.headers["x-llama-stack-instance"] for answer in answers} == {
            answers[0].headers["x-llama-stack-instance"]
        }
    finally:
        await client.close()
    with pytest.raises(httpx.ConnectError, match="the stack has been closed"):
        await at.get("/v1/health")


async def test_a_folder_in_use_is_said_when_it_is_opened(write_config: Callable[..., Path], settings: Any) -> None:
    async with AsyncLlamaStackAsLibraryClient(write_config(), **settings):
        other = AsyncLlamaStackAsLibraryClient(write_config(), **settings)
        with pytest.raises(Conflict, match="is in use"):
            await other.initialize()
    await other.close()


def test_another_event_loop_is_refused(write_config: Callable[..., Path], settings: Any) -> None:
    client = AsyncLlamaStackAsLibraryClient(write_config(), **settings)

    async def ask_and_close() -> None:
        await client.initialize()
        await client.close()

    asyncio.run(ask_and_close())
    with pytest.raises(RuntimeError, match="another event loop"):
        asyncio.run(client.close())  # type: ignore[arg-type]  # a coroutine
    with pytest.raises(RuntimeError, match="another event loop"):
        asyncio.run(client.initialize())  # type: ignore[arg-type]  # a coroutine


async def test_one_that_was_closed_is_not_opened(write_config: Callable[..., Path], settings: Any) -> None:
    client = AsyncLlamaStackAsLibraryClient(write_config(), **settings)
    await client.close()
    with pytest.raises(Unavailable, match="the stack has been closed"):
        await client.initialize()
    async with AsyncLlamaStackAsLibraryClient(write_config(), **settings):  # its folder is free
        pass


def test_the_end_of_an_event_loop_closes_what_was_forgotten(write_config: Callable[..., Path], settings: Any) -> None:
    kept = []

    async def forget() -> int:
        kept.append(client := AsyncLlamaStackAsLibraryClient(write_config(), **settings))
        status: int = (await client.http_client(httpx).get("/v1/health")).status_code
        return status

    assert [asyncio.run(forget()) for _ in range(2)] == [200, 200]


async def test_one_that_nobody_has_any_more_is_closed_with_a_warning(
    config: Path, settings: Any, upstream: Upstream
) -> None:
    """Whoever still reads an answer has it."""
    client = AsyncLlamaStackAsLibraryClient(config, **settings)
    asked = client.http_client(httpx).build_request(
        "POST", "/v1/chat/completions", json={"model": CHAT, "messages": MESSAGES, "stream": True}
    )
    answer = await client.http_client(httpx).send(asked, stream=True)
    del client
    gc.collect()
    assert "[DONE]" in [line async for line in answer.aiter_lines()][-2]
    [keeper] = [task for task in asyncio.all_tasks() if task.get_name() == "llama stack library"]
    with pytest.warns(ResourceWarning, match=r"unclosed stack `library`: `close\(\)` its client"):
        del answer
        gc.collect()
    async with asyncio.timeout(LIMIT_S):
        await keeper
    async with AsyncLlamaStackAsLibraryClient(config, **settings):  # its folder is free
        pass


async def test_whoever_closes_beside_another_waits_for_the_same_end(
    write_config: Callable[..., Path], settings: Any
) -> None:
    client = await AsyncLlamaStackAsLibraryClient.create(write_config(), **settings)
    first = asyncio.create_task(client.close())
    await asyncio.sleep(0)  # it has begun
    async with asyncio.timeout(LIMIT_S):
        await client.close()
        async with AsyncLlamaStackAsLibraryClient(write_config(), **settings):
            await first
