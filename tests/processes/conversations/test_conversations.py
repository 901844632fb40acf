"""Conversations in servers of their own, over each database: OpenAI's client, several processes, kill -9 under load."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
import pytest_asyncio

from runtime.conformance.upstream import CHAT_MODEL, Upstream, upstream_server
from tests.support.server_process import running_server
from tests.support.stacks import openai_at

pytestmark = pytest.mark.e2e
MODEL = f"vendor/{CHAT_MODEL}"
LIMIT_S, WRITERS = 60, 8


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with upstream_server() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgres"])
def run_config(request: pytest.FixtureRequest, upstream: Upstream, tmp_path: Path) -> dict[str, Any]:
    """Of servers that share one database."""
    backend: dict[str, Any] = {"type": "sql_sqlite", "db_path": str(tmp_path / "shared.db")}
    if request.param == "postgres":
        backend = {"type": "sql_postgres", "connection_string": request.getfixturevalue("postgres_url")}
    return {
        "version": 2,
        "distro_name": "talks",
        "providers": {"inference": [openai_at(upstream.url)]},
        "storage": {"backends": {"kv_default": {"type": "kv_memory"}, "sql_default": backend}},
    }


def message(text: str) -> Any:
    return {"type": "message", "role": "user", "content": text}


async def test_openai_s_client_has_all_that_it_offers(run_config: dict[str, Any], tmp_path: Path) -> None:
    async with running_server(run_config, tmp_path / "1") as server:
        client = openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=LIMIT_S)
        async with client:
            await _drive(client)


async def _drive(client: openai.AsyncOpenAI) -> None:
    conversations = client.conversations
    made = await conversations.create(metadata={"team": "a"}, items=[message("Hi")])
    assert (made.object, made.metadata) == ("conversation", {"team": "a"})
    assert await conversations.retrieve(made.id) == made
    assert (await conversations.update(made.id, metadata={"team": "b"})).metadata == {"team": "b"}
    added = await conversations.items.create(made.id, items=[message(f"{number}") for number in range(20)])
    assert [item.type for item in added.data] == ["message"] * 20

    response = await client.responses.create(model=MODEL, input="Name colours", conversation=made.id)
    assert response.conversation is not None and response.conversation.id == made.id
    async with client.responses.stream(model=MODEL, input="More", conversation=made.id) as stream:
        last = await stream.get_final_response()
    items = [item async for item in conversations.items.list(made.id, order="asc", limit=6)]  # it turns the pages
    said = [part.text for item in items if item.type == "message" for part in item.content if "text" in part.type]
    assert said == [
        "Hi", *(f"{number}" for number in range(20)), "Name colours", response.output_text, "More", last.output_text,
    ]  # fmt: skip
    assert [item.id async for item in conversations.items.list(made.id)] == [item.id for item in items][::-1]

    found = await conversations.items.retrieve(items[3].id, conversation_id=made.id)
    assert found == items[3]
    async for item in conversations.items.list(made.id, limit=5):
        assert (await conversations.items.delete(item.id, conversation_id=made.id)).id == made.id
    assert not (await conversations.items.list(made.id)).data
    with pytest.raises(openai.NotFoundError, match=items[3].id):
        await conversations.items.retrieve(items[3].id, conversation_id=made.id)
    with pytest.raises(openai.BadRequestError, match="20"):
        await conversations.items.create(made.id, items=[message("x")] * 21)
    assert (await conversations.delete(made.id)).deleted
    with pytest.raises(openai.NotFoundError, match=made.id):
        await conversations.retrieve(made.id)
    with pytest.raises(openai.NotFoundError, match=made.id):
        await client.responses.create(model=MODEL, input="Hi", conversation=made.id)


async def test_what_was_acknowledged_is_there_after_kill_9_while_two_servers_add(
    run_config: dict[str, Any], tmp_path: Path
) -> None:
    acknowledged: list[list[str]] = [[] for _ in range(WRITERS)]
    many = asyncio.Semaphore(0)
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(running_server(run_config, tmp_path / name)) for name in ("1", "2")]
        session = await stack.enter_async_context(aiohttp.ClientSession())
        async with session.post(f"{servers[0].url}/v1/conversations", json={}) as answer:
            conversation = (await answer.json())["id"]

        async def write(writer: int) -> None:
            url = f"{servers[writer % 2].url}/v1/conversations/{conversation}/items"
            with suppress(aiohttp.ClientError):
                for number in range(10**6):
                    items = [message(f"{writer}/{number}/{place}") for place in range(2)]
                    async with session.post(url, json={"items": items}) as answer:
                        assert answer.status == 200, await answer.text()
                        acknowledged[writer] += [item["id"] for item in (await answer.json())["data"]]
                    many.release()

        async with asyncio.timeout(LIMIT_S):
            writing = [asyncio.create_task(write(writer)) for writer in range(WRITERS)]
            for _ in range(100):
                await many.acquire()
            for server in servers:
                server.signal(signal.SIGKILL)
            await asyncio.gather(*writing)
    async with (
        running_server(run_config, tmp_path / "1") as server,
        openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", timeout=LIMIT_S) as client,
    ):
        found = [item async for item in client.conversations.items.list(conversation, order="asc", limit=100)]
    ids = [item.id for item in found]
    for written in acknowledged:
        assert [id for id in ids if id in {*written}] == written
    appends = [item.content[0].text.rpartition("/")[0] for item in found]  # type: ignore[union-attr]
    assert appends[::2] == appends[1::2], "of each append all or nothing, and together"


async def test_of_a_response_that_is_cancelled_or_deleted_anywhere_a_conversation_has_all_or_nothing(
    run_config: dict[str, Any], tmp_path: Path
) -> None:
    """By either of two servers, while either makes it."""
    async with (
        running_server(run_config, tmp_path / "1") as first,
        running_server(run_config, tmp_path / "2") as second,
        aiohttp.ClientSession() as session,
    ):
        servers = (first, second)

        async def ask(turn: int, method: str, path: str, body: Any = None) -> tuple[int, Any]:
            async with session.request(method, f"{servers[turn % 2].url}/v1{path}", json=body) as answer:
                return answer.status, await answer.json()

        async def meddle(number: int) -> str:
            """What became of one response. How much of it is made by then differs from run to run."""
            _, conversation = await ask(number, "POST", "/conversations", {})
            body = {"model": MODEL, "input": "Hi", "background": True, "conversation": conversation["id"]}
            status, made = await ask(number, "POST", "/responses", body)
            assert status == 200, made
            path, is_deleted = f"/responses/{made['id']}", number % 4 >= 2
            for _ in range(number % 5):
                await ask(number, "GET", path)
            if is_deleted:
                assert (await ask(number // 4, "DELETE", path))[0] == 200
                assert (await ask(number, "GET", path))[0] == 404
                return "deleted"
            status, kept = await ask(number // 4, "POST", f"{path}/cancel")
            assert status == 200 and kept["status"] in ("cancelled", "completed"), kept
            assert (await ask(number, "GET", path))[1]["status"] == kept["status"]
            _, items = await ask(number, "GET", f"/conversations/{conversation['id']}/items")
            assert len(items["data"]) == (2 if kept["status"] == "completed" else 0), kept["status"]
            return str(kept["status"])

        async with asyncio.timeout(LIMIT_S):
            for begin in (0, 16):
                await asyncio.gather(*(meddle(begin + number) for number in range(16)))
            status, left = await ask(0, "GET", "/responses?limit=100")
    assert status == 200 and len(left["data"]) == 16
