"""Another process asks the server for its analytics, and gets what the server's own handle says."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.errors import RequestError, Unavailable
from runtime.storage.analytics import asked as asking
from runtime.storage.analytics.asked import AskedAnalytics
from runtime.storage.analytics.config import AnalyticsConfig
from runtime.storage.analytics.door import LONGEST_LINE, address, answer_others, is_answered, socket_of
from runtime.storage.analytics.handle import Analytics
from runtime.storage.analytics.tables import DESCRIPTION, described
from tests.support.analytics import ROWS, USAGE


@pytest_asyncio.fixture(params=["short", "l" * 150])
async def analytics(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Analytics]:
    """Those of a server, also in a folder whose name is longer than an address can be."""
    made = Analytics(AnalyticsConfig(), tmp_path / request.param)
    made.add(USAGE)
    door = asyncio.create_task(answer_others(made))
    while not await is_answered(made.path):
        await asyncio.wait({door}, timeout=0.01)
    yield made
    door.cancel()
    with suppress(asyncio.CancelledError):
        await door
    await made.close()
    assert not socket_of(made.path).exists()
    assert not await is_answered(made.path)


async def test_it_says_what_the_server_knows(analytics: Analytics) -> None:
    await analytics.append(USAGE, ROWS * 500)
    asked = AskedAnalytics(analytics.path)
    assert described((await asked.query(DESCRIPTION)).rows) == [USAGE]
    assert (await asked.query("SELECT count(*) FROM usage WHERE tokens < ?", [0])).rows == [(500,)]
    there = [line async for lines in analytics.lines(USAGE) for line in lines]
    assert [line async for lines in asked.lines(USAGE) for line in lines] == there
    assert await asked.remove_before(USAGE, 1000.0) == 500
    assert (await analytics.query("SELECT count(*) FROM usage")).rows == [(2000,)]


async def test_what_the_server_refuses_is_refused_here(analytics: Analytics, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = AskedAnalytics(analytics.path)
    with pytest.raises(RequestError, match="a query is one SELECT"):
        await asked.query("DROP TABLE usage")

    async def query(*asked: Any) -> Any:
        raise Unavailable("the disk is full", hint="make room", code="storage_unavailable")

    monkeypatch.setattr(analytics, "query", query)
    with pytest.raises(Unavailable, match="the disk is full") as caught:
        await asked.query("SELECT 1")
    assert (caught.value.hint, caught.value.code) == ("make room", "storage_unavailable")


async def test_its_owner_alone_can_ask(analytics: Analytics) -> None:
    assert stat.S_IMODE(socket_of(analytics.path).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "said", [b"", b"no question\n", b'{"ask":"remove_before"}\n', b'{"ask":"drop"}\n', b"?" * (LONGEST_LINE + 1)]
)
async def test_who_asks_for_nothing_that_is_known_hurts_nobody(
    analytics: Analytics, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with address(socket_of(analytics.path)) as where:
        reader, writer = await asyncio.open_unix_connection(where)
    writer.write(said)
    writer.write_eof()
    assert b"done" not in await reader.read()
    writer.close()
    assert (await AskedAnalytics(analytics.path).query("SELECT 1")).rows == [(1,)]
    assert caplog.records == []


async def test_a_line_that_is_too_long_is_told(analytics: Analytics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "LONGEST_LINE", 1000)
    await analytics.append(USAGE, [{"model": "x" * 3000}])
    asked = AskedAnalytics(analytics.path)
    with pytest.raises(Unavailable, match="more than 1000 bytes"):
        await asked.query("SELECT model FROM usage")
    with pytest.raises(Unavailable, match="more than 1000 bytes"):
        await anext(asked.lines(USAGE))
    assert (await asked.query("SELECT 1")).rows == [(1,)]


async def test_who_leaves_in_the_middle_is_forgotten(analytics: Analytics) -> None:
    await analytics.append(USAGE, [{"model": "x" * 1000}] * 20_000)
    reading = AskedAnalytics(analytics.path).lines(USAGE)
    await anext(reading)
    await reading.aclose()
    assert (await AskedAnalytics(analytics.path).query("SELECT 1")).rows == [(1,)]


async def test_a_server_that_goes_in_the_middle_is_noticed(analytics: Analytics) -> None:
    await analytics.append(USAGE, [{"model": "x" * 1000}] * 20_000)
    reading = AskedAnalytics(analytics.path).lines(USAGE)
    await anext(reading)
    [door] = [task for task in asyncio.all_tasks() if "answer_others" in repr(task.get_coro())]
    door.cancel()
    with pytest.raises(Unavailable, match="does not answer any more"):
        async for _ in reading:
            pass


async def test_a_second_server_leaves_the_door_to_the_first(
    analytics: Analytics, caplog: pytest.LogCaptureFixture
) -> None:
    await answer_others(Analytics(AnalyticsConfig(), analytics.path.parent.parent))
    assert [record.message for record in caplog.records] == ["another server answers for the analytics"]
    assert (await AskedAnalytics(analytics.path).query("SELECT 1")).rows == [(1,)]
