"""Tables of analytics describe themselves, and their rows move as lines: all or none, each as often as it was given."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import duckdb
import pytest
import pytest_asyncio

from runtime.errors import RequestError
from runtime.storage.analytics.handle import Analytics
from runtime.storage.analytics.tables import DESCRIPTION, AnalyticsColumn, AnalyticsTable, described
from tests.conformance.analytics.test_queries import opened
from tests.support.analytics import NOTES, ROWS, USAGE


@pytest_asyncio.fixture
async def analytics(tmp_path: Path) -> AsyncIterator[Analytics]:
    made = opened(tmp_path / "here", USAGE, NOTES)
    yield made
    await made.close()


@pytest_asyncio.fixture
async def elsewhere(tmp_path: Path) -> AsyncIterator[Analytics]:
    made = Analytics(opened(tmp_path)._config, tmp_path / "there")
    yield made
    await made.close()


async def all_lines(analytics: Analytics) -> list[bytes]:
    return [line async for lines in analytics.lines(USAGE) for line in lines]


async def load(analytics: Analytics, lines: list[bytes]) -> tuple[int, list[bytes]]:
    analytics.add(USAGE)
    loading = await analytics.loading(USAGE)
    try:
        for line in lines:
            await asyncio.to_thread(loading.add, [line])
        return await asyncio.to_thread(loading.finish), [line for found in loading.lines() for line in found]
    finally:
        loading.close()


async def test_a_file_describes_its_tables(analytics: Analytics, tmp_path: Path) -> None:
    assert described((await analytics.query(DESCRIPTION)).rows) == [NOTES, USAGE]
    await analytics.close()
    with duckdb.connect(str(analytics.path)) as connection:
        connection.execute("CREATE TABLE foreign_one (at INTERVAL)".replace("at", '"at"'))
        connection.execute('CREATE TABLE "Odd name" (x BIGINT)')
        connection.execute("COMMENT ON TABLE usage IS NULL")  # as a version has left it that did not describe it
    again = Analytics(opened(tmp_path)._config, tmp_path / "here")
    found = {table.name: table.aged_by for table in described((await again.query(DESCRIPTION)).rows)}
    await again.close()
    assert found == {"notes": None, "usage": None}
    mended = opened(tmp_path / "here")
    found = {table.name: table.aged_by for table in described((await mended.query(DESCRIPTION)).rows)}
    await mended.close()
    assert found == {"notes": None, "usage": "at"}


async def test_a_table_is_measured(analytics: Analytics) -> None:
    await analytics.append(USAGE, [{"at": 10, "model": "é" * 50}, {"at": 20.5, "more": [1]}, {}])
    [measured] = (await analytics.query(USAGE.measurement())).rows
    assert measured == (3, 3 * 4 * 8 + 100 + len("[1]"), 10.0, 20.5)
    [aged] = (await analytics.query(USAGE.measurement(is_aged=True), [20.5])).rows
    assert (aged[0], aged[2], aged[3]) == (1, 10.0, 10.0)
    assert (await analytics.query(NOTES.measurement())).rows == [(0, 0, None, None)]


async def test_rows_move_as_they_are_and_in_their_order(analytics: Analytics, elsewhere: Analytics) -> None:
    await analytics.append(USAGE, ROWS)
    lines = await all_lines(analytics)
    read = [json.loads(line) for line in lines]
    assert [{name: value for name, value in row.items() if value is not None} for row in read] == ROWS
    assert not any(b"\n" in line for line in lines)
    assert await load(elsewhere, lines) == (5, lines)
    assert await all_lines(elsewhere) == lines


async def test_rows_that_are_there_are_not_added_again(analytics: Analytics, elsewhere: Analytics) -> None:
    await analytics.append(USAGE, ROWS)
    lines = await all_lines(analytics)
    await load(elsewhere, lines[:4])
    assert await load(elsewhere, lines) == (1, lines)
    assert await load(elsewhere, lines) == (0, lines)
    assert sorted(await all_lines(elsewhere)) == sorted(lines)


async def test_rows_of_before_a_column_was_added_leave_it_null(elsewhere: Analytics) -> None:
    newer = AnalyticsTable(name="notes", columns=(*NOTES.columns, AnalyticsColumn("more", "json")))
    elsewhere.add(newer)
    loading = await elsewhere.loading(NOTES)
    loading.add([b'{"text":"a"}'])
    assert loading.finish() == 1
    loading.close()
    assert (await elsewhere.query("SELECT text, more FROM notes")).rows == [("a", None)]


@pytest.mark.parametrize(
    "line",
    [
        b"no row",
        b'{"at": 1}',
        b"[]",
        b'{"at":"x","model":null,"tokens":null,"seconds":null,"streamed":null,"more":null}',
    ],
)
async def test_what_is_no_row_leaves_nothing_behind(analytics: Analytics, elsewhere: Analytics, line: bytes) -> None:
    await analytics.append(USAGE, ROWS)
    with pytest.raises(RequestError):
        await load(elsewhere, [*await all_lines(analytics), line])
    assert await all_lines(elsewhere) == []


async def test_what_comes_while_rows_are_read_is_not_among_them(analytics: Analytics) -> None:
    await analytics.append(USAGE, ROWS * 500)
    reading = analytics.lines(USAGE)
    found = await anext(reading)
    await analytics.append(USAGE, ROWS)
    await analytics.remove_before(USAGE, 1e12)
    found += [line async for lines in reading for line in lines]
    assert len(found) == 2500


def test_what_describes_no_table_is_refused() -> None:
    assert AnalyticsTable.of(json.loads(json.dumps(USAGE.document()))) == USAGE
    for change in (
        {"columns": {}},
        {"columns": {"x": "blob"}},
        {"columns": 5},
        {"name": 'x"; DROP'},
        {"aged_by": "model"},
    ):
        with pytest.raises(ValueError):
            AnalyticsTable.of({**USAGE.document(), **change})
