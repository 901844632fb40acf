"""Many who add to one conversation at once, over two stacks of one database: an order that never changes once seen."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.stacks import run_config, serving
from tests.conformance.conversations.talking import Talking, said, texts_of
from tests.support.stacks import openai_at

pytestmark = pytest.mark.asyncio(loop_scope="module")
WRITERS, APPENDS, LIMIT_S = 8, 12, 60


@pytest_asyncio.fixture(loop_scope="module")
async def pair(talking: Talking, backends: dict[str, Any], tmp_path: Path) -> AsyncIterator[tuple[Talking, Talking]]:
    """Two stacks, as two processes would be: each has connections, locks and numbers of its own."""
    tables = backends["sql_default"]
    if tables["type"] == "sql_sqlite":
        tables = {**tables, "db_path": str(tmp_path / "shared.db")}
    run = run_config(openai_at(talking.vendor.url), storage={"backends": {**backends, "sql_default": tables}})
    async with serving(run, tmp_path / "1") as one, serving(run, tmp_path / "2") as two:
        yield tuple(Talking(served.client, talking.vendor, served.stack) for served in (one, two))  # type: ignore[misc]


async def test_what_is_added_at_once_stands_together_in_an_order_that_stays(pair: tuple[Talking, Talking]) -> None:
    conversation = await pair[0].begun()

    async def write(writer: int) -> None:
        for number in range(APPENDS):
            names = [f"{writer}/{number}/{place}" for place in range(1 + (writer + number) % 4)]
            await pair[writer % 2].added(conversation, *(said(name) for name in names))

    async def follow(talking: Talking) -> list[str]:
        """Every list that was seen must be the beginning of the next one."""
        seen: list[str] = []
        while not writing.done():
            now = texts_of(await talking.walked(conversation))
            assert now[: len(seen)] == seen
            seen = now
        return seen

    async with asyncio.timeout(LIMIT_S):
        writing = asyncio.gather(*(write(writer) for writer in range(WRITERS)))
        followed = await asyncio.gather(*(follow(talking) for talking in pair))
        await writing
        whole = texts_of(await pair[0].walked(conversation, limit=7))
    assert whole == texts_of(await pair[1].walked(conversation, order="desc"))[::-1]
    assert all(whole[: len(seen)] == seen for seen in followed)
    _check_whole_appends(whole)


async def test_responses_and_appends_at_once_leave_each_whole(pair: tuple[Talking, Talking]) -> None:
    conversation = await pair[0].begun()

    async def answer(number: int) -> None:
        response = await pair[number % 2].whole(f"r{number}", conversation=conversation, store=number % 3 > 0)
        assert response["conversation"] == {"id": conversation}

    async def add(number: int) -> None:
        await pair[number % 2].added(conversation, said(f"9/{number}/0"), said(f"9/{number}/1"))

    async with asyncio.timeout(LIMIT_S):
        await asyncio.gather(*(answer(number) for number in range(10)), *(add(number) for number in range(10)))
    items = await pair[1].walked(conversation)
    texts = texts_of(items)
    for number in range(10):
        place = texts.index(f"r{number}")
        assert items[place + 1]["role"] == "assistant"
        place = texts.index(f"9/{number}/0")
        assert texts[place + 1] == f"9/{number}/1"
    assert len(items) == 40


async def test_two_servers_that_add_to_two_conversations_do_not_hinder_each_other(
    pair: tuple[Talking, Talking],
) -> None:
    conversations = [await pair[0].begun(), await pair[1].begun()]

    async def write(writer: int) -> None:
        for number in range(APPENDS):
            await pair[writer % 2].added(conversations[(writer // 2 + number) % 2], said(f"{writer}/{number}"))

    async with asyncio.timeout(LIMIT_S):
        await asyncio.gather(*(write(writer) for writer in range(WRITERS)))
    found = [text for one in conversations for text in texts_of(await pair[0].walked(one))]
    assert sorted(found) == sorted(f"{writer}/{number}" for writer in range(WRITERS) for number in range(APPENDS))


def _check_whole_appends(texts: list[str]) -> None:
    """Those of one append stand together and in their order, those of one writer in theirs, and none is missing."""
    appends: dict[str, list[int]] = defaultdict(list)
    last = ""
    for text in texts:
        append, _, place = text.rpartition("/")
        assert append == last or append not in appends, f"{append} is in two places"
        appends[append].append(int(place))
        last = append
    assert all(places == [*range(len(places))] for places in appends.values())
    for writer in range(WRITERS):
        numbers = [int(append.split("/")[1]) for append in appends if append.startswith(f"{writer}/")]
        assert numbers == [*range(APPENDS)]
        sizes = [len(appends[f"{writer}/{number}"]) for number in range(APPENDS)]
        assert sizes == [1 + (writer + number) % 4 for number in range(APPENDS)]
