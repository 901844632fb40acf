"""A server with responses as a process, killed and started again, and how it is asked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from runtime.conformance.upstream import CHAT_MODEL, Upstream
from tests.support.server_process import ServerProcess, running_server
from tests.support.stacks import openai_at

Json = dict[str, Any]
MODEL = f"vendor/{CHAT_MODEL}"
RESPONSES = "/v1/responses"
LIMIT_S = 60.0


def running(vendor: Upstream, folder: Path, **config: Any) -> AbstractAsyncContextManager[ServerProcess]:
    """A server whose tables are in `folder`. config: of the provider of responses."""
    responses = {"provider_id": "builtin", "provider_type": "inline::builtin", "config": config}
    providers = {"inference": [openai_at(vendor.url)], "responses": [responses]}
    return running_server({"version": 2, "distro_name": "answers", "providers": providers}, folder)


async def asked(server: ServerProcess, path: str = "", body: Json | None = None) -> Json:
    """A response: a new one for a body."""
    facts = {"json": {"model": MODEL, **body}} if body is not None else {}
    status, answer = await server.ask("POST" if body is not None else "GET", f"{RESPONSES}{path}", **facts)
    assert status == 200, answer
    found: Json = answer
    return found


async def once(server: ServerProcess, response_id: str, *statuses: str) -> Json:
    """The response, once it has one of these."""
    async with asyncio.timeout(LIMIT_S):
        while (found := await asked(server, f"/{response_id}"))["status"] not in statuses:
            await asyncio.sleep(0.02)
    return found


@asynccontextmanager
async def streamed(url: str, **body: Any) -> AsyncIterator[AsyncIterator[Json]]:
    """The events of a new response, as they come; the block's end is the client's leaving."""
    async with events_of(f"{url}{RESPONSES}", {"model": MODEL, **body}) as events:
        yield events


@asynccontextmanager
async def events_of(url: str, body: Json) -> AsyncIterator[AsyncIterator[Json]]:
    """The events of whatever is asked for as a stream, in the same way."""
    async with aiohttp.ClientSession() as session:
        asked = {**body, "stream": True}
        async with asyncio.timeout(LIMIT_S), session.post(url, json=asked) as answer:
            assert answer.status == 200, await answer.text()
            yield _events(answer)


async def followed(server: ServerProcess, response_id: str) -> list[Json]:
    """All events of a response that was made in the background."""
    url = f"{server.url}{RESPONSES}/{response_id}?stream=true"
    async with aiohttp.ClientSession() as session, asyncio.timeout(LIMIT_S), session.get(url) as answer:
        assert answer.status == 200, await answer.text()
        return [event async for event in _events(answer)]


async def _events(answer: aiohttp.ClientResponse) -> AsyncIterator[Json]:
    async for line in answer.content:
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))


async def listed(server: ServerProcess) -> list[str]:
    """The status of each response that is kept."""
    statuses: list[str] = []
    page = await asked(server, "?limit=100")
    while page["data"]:
        statuses += [one["status"] for one in page["data"]]
        page = await asked(server, f"?limit=100&after={page['last_id']}")
    return statuses


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not holds():
            await asyncio.sleep(0.02)


def leases_run_out(folder: Path) -> None:
    """As if long enough had passed since the server of this folder died."""
    with _database(folder) as database:
        for table in _tables(database):
            for column in {row[1] for row in database.execute(f"PRAGMA table_info({table})")} & {
                "held_until",
                "due_at",
            }:
                database.execute(f"UPDATE {table} SET {column} = 1 WHERE {column} IS NOT NULL")  # ours


def all_at_once(folder: Path) -> None:
    """As if the sessions of the server of this folder had been used last when the first response was begun."""
    with _database(folder) as database:
        [sessions] = (table for table in _tables(database) if table.endswith("sessions"))
        [responses] = (table for table in _tables(database) if table.endswith("responses"))
        database.execute(f"UPDATE {sessions} SET used = (SELECT min(position) / 1000000 FROM {responses})")  # ours


@contextlib.contextmanager
def _database(folder: Path) -> Iterator[sqlite3.Connection]:
    [file] = (folder / "state").glob("sql_store.db")
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        yield database


def _tables(database: sqlite3.Connection) -> list[str]:
    return [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
