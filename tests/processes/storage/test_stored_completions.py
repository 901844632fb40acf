"""Chat completions that were kept, over each database: what the official client makes of them, kill -9 under load."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from openai import AsyncOpenAI, BadRequestError, NotFoundError

from runtime.conformance.upstream import CHAT_MODEL, Upstream, upstream_server
from tests.support.server_process import ServerProcess, server_process
from tests.support.stacks import openai_at

pytestmark = pytest.mark.e2e
MODEL = f"vendor/{CHAT_MODEL}"
HELLO: list[Any] = [{"role": "user", "content": "Name colours"}]


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with upstream_server() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgres"])
def run_config(request: pytest.FixtureRequest, upstream: Upstream) -> dict[str, Any]:
    backend: dict[str, Any] = {"type": "sql_sqlite"}
    if request.param == "postgres":
        backend = {"type": "sql_postgres", "connection_string": request.getfixturevalue("postgres_url")}
    return {
        "version": 2,
        "distro_name": "kept",
        "providers": {"inference": [openai_at(upstream.url)]},
        "storage": {"backends": {"kv_default": {"type": "kv_memory"}, "sql_default": backend}},
    }


@pytest.mark.parametrize("base", ["/v1", "/v1/openai/v1"])
async def test_the_official_client_lists_reads_changes_and_deletes(
    run_config: dict[str, Any], tmp_path: Path, base: str
) -> None:
    async with server_process(run_config, tmp_path) as server:
        await server.until("provider started")
        async with AsyncOpenAI(base_url=server.url + base, api_key="none", max_retries=0, timeout=60) as client:
            await _lists_reads_changes_and_deletes(client)


async def _lists_reads_changes_and_deletes(client: AsyncOpenAI) -> None:
    completions = client.chat.completions
    made = [await completions.create(model=MODEL, messages=HELLO, seed=seed, store=True) for seed in range(5)]
    stream = await completions.create(
        model=MODEL, messages=HELLO, seed=1, stream=True, store=True, metadata={"team": "a"}
    )
    [streamed] = {chunk.id async for chunk in stream}
    await completions.create(model=MODEL, messages=HELLO, store=False)
    ids = [*(one.id for one in made), streamed]

    assert [one.id async for one in completions.list()] == ids
    assert [one.id async for one in completions.list(limit=2, order="desc")] == ids[::-1]  # the client reads all pages
    assert [one.id async for one in completions.list(metadata={"team": "a"})] == [streamed]
    assert [one.id async for one in completions.list(model=MODEL, after=ids[3])] == ids[4:]
    assert [one async for one in completions.list(model="nobody")] == []

    found = await completions.retrieve(streamed)
    assert found.choices[0].message.content == made[1].choices[0].message.content
    whole = await completions.retrieve(ids[2])
    assert (whole.choices[0].message, whole.usage) == (made[2].choices[0].message, made[2].usage)

    messages = [message async for message in completions.messages.list(streamed)]
    assert [(message.id, message.content) for message in messages] == [(f"{streamed}-0", "Name colours")]

    changed = await completions.update(streamed, metadata={"team": "b"})
    assert changed.to_dict()["metadata"] == {"team": "b"}
    assert [one.id async for one in completions.list(metadata={"team": "b"})] == [streamed]

    deleted = await completions.delete(ids[0])
    assert (deleted.id, deleted.deleted, deleted.object) == (ids[0], True, "chat.completion.deleted")
    with pytest.raises(NotFoundError, match=ids[0]):
        await completions.retrieve(ids[0])
    with pytest.raises(BadRequestError, match="`after` is `nobody`"):
        await completions.list(after="nobody")
    assert [one.id async for one in completions.list(after=ids[0], limit=2)] == ids[1:]


async def test_what_was_acknowledged_survives_kill_9_twice(
    run_config: dict[str, Any], tmp_path: Path, upstream: Upstream
) -> None:
    acknowledged: set[str] = set()
    for _ in range(2):
        async with server_process(run_config, tmp_path) as server:
            await server.until("provider started")
            async with aiohttp.ClientSession() as session:
                asking = [asyncio.create_task(_ask(server, session, acknowledged, place)) for place in range(16)]
                enough = len(acknowledged) + 200
                async with asyncio.timeout(60):
                    while len(acknowledged) < enough:
                        await asyncio.wait(asking, timeout=0.01)
                server.signal(signal.SIGKILL)
                await asyncio.gather(*asking)
            assert await server.process.wait() == -signal.SIGKILL
    assert len(acknowledged) >= 400
    async with server_process(run_config, tmp_path) as server:
        await server.until("provider started")
        async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=60) as client:
            kept = {one.id async for one in client.chat.completions.list(limit=100)}
            assert acknowledged <= kept
            some = sorted(acknowledged)[::50]
            answers = [await client.chat.completions.retrieve(one) for one in some]
            assert all(answer.choices[0].finish_reason == "stop" for answer in answers)


async def _ask(server: ServerProcess, session: aiohttp.ClientSession, acknowledged: set[str], place: int) -> None:
    """Ask again and again, every other time for a stream, until the server is gone."""
    url, streams = f"{server.url}/v1/chat/completions", place % 2 == 0
    body = {"model": MODEL, "messages": HELLO, "stream": streams}
    with suppress(aiohttp.ClientError):
        while True:
            async with session.post(url, json=body) as answer:
                data = await answer.read()
                assert answer.status == 200 and "x-llama-warnings" not in answer.headers, data
            if not streams:
                acknowledged.add(json.loads(data)["id"])
            elif data.endswith(b"data: [DONE]\n\n"):
                acknowledged.add(json.loads(data.partition(b"\n\n")[0].removeprefix(b"data: "))["id"])


async def test_a_request_that_is_not_to_be_kept_leaves_nothing_on_the_disk(
    run_config: dict[str, Any], tmp_path: Path
) -> None:
    async with server_process(run_config, tmp_path) as server:
        await server.until("provider started")
        body = {
            "model": MODEL,
            "messages": [{"role": "user", "content": "xyzzy-9321"}],
            "metadata": {"m": "xyzzy-9321"},
        }
        for stream in (True, False):
            async with aiohttp.ClientSession() as session:
                url = f"{server.url}/v1/chat/completions"
                async with session.post(url, json=body | {"store": False, "stream": stream}) as answer:
                    assert answer.status == 200 and await answer.read()
        assert (await server.ask("GET", "/v1/chat/completions"))[1]["data"] == []
        server.signal(signal.SIGTERM)
        await server.ended()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files and not any(b"xyzzy-9321" in path.read_bytes() for path in files)
    assert "xyzzy-9321" not in json.dumps(server.said)
