"""Analytics: what is appended is found, and a query can do nothing but read, within its limits."""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import pytest_asyncio

from runtime.errors import RequestError, Unavailable
from runtime.storage.analytics.config import AnalyticsConfig
from runtime.storage.analytics.handle import Analytics
from runtime.storage.analytics.queries import Query
from runtime.storage.analytics.tables import AnalyticsColumn, AnalyticsTable, Rows
from runtime.storage.placement import StorageConfig
from runtime.storage.stores import Stores
from tests.support.analytics import USAGE


def opened(folder: Path, *tables: AnalyticsTable, **settings: Any) -> Analytics:
    analytics = Analytics(AnalyticsConfig(**settings), folder)
    analytics.add(*(tables or (USAGE,)))
    return analytics


@pytest_asyncio.fixture
async def analytics(tmp_path: Path) -> AsyncIterator[Analytics]:
    made = opened(tmp_path)
    yield made
    await made.close()


async def count(analytics: Analytics) -> int:
    number: int = (await analytics.query("SELECT count(*) FROM usage")).rows[0][0]
    return number


async def test_every_kind_of_value_is_read_back(analytics: Analytics) -> None:
    row = {
        "at": 1_700_000_000.25,
        "model": "m 'ключ' \"😀\"",
        "tokens": 2**62,
        "seconds": 0.1,
        "streamed": True,
        "more": {"a": [1, None, "é"]},
    }
    await analytics.append(USAGE, [row, {"model": "x"}, {"seconds": math.nan}])
    found = await analytics.query("SELECT * FROM usage WHERE model LIKE $like", {"like": "m%"})
    [values] = found.rows
    read = dict(zip(found.columns, values, strict=True))
    assert json.loads(read.pop("more")) == row.pop("more")
    assert read == row | {"at": datetime(2023, 11, 14, 22, 13, 20, 250_000, tzinfo=UTC)}
    nothing = (await analytics.query("SELECT * FROM usage WHERE model IS NULL OR model = 'x' ORDER BY model")).rows
    assert nothing == [(None, "x", None, None, None, None), (None,) * 6]


async def test_rows_come_by_columns_too_and_views_show_them(tmp_path: Path) -> None:
    columns = (AnalyticsColumn("at", "time"), AnalyticsColumn("text", "text"), AnalyticsColumn("n", "integer"))
    table = AnalyticsTable(name="notes", columns=columns, views=(("longest", "SELECT max(n) AS n FROM notes"),))
    made = opened(tmp_path, table)
    values = {"text": ["a 'ключ'\n", None], "at": [0.25, None], "n": [-(2**63), 7]}
    await asyncio.gather(made.append_columns(table, values), made.append(table, [{"n": 8}]))
    assert (await made.query('SELECT text, epoch("at"), n FROM notes ORDER BY n')).rows == [
        ("a 'ключ'\n", 0.25, -(2**63)), (None, None, 7), (None, None, 8)
    ]  # fmt: skip
    assert (await made.query("SELECT * FROM longest")).rows == [(8,)]
    with pytest.raises(RequestError, match="cannot hold these rows"):
        await made.append_columns(table, {"text": ["a"], "at": [0.0], "n": ["none"]})
    await made.close()
    later = AnalyticsTable(name="notes", columns=columns, views=(("longest", "SELECT min(n) AS n FROM notes"),))
    made = opened(tmp_path, later)
    assert (await made.query("SELECT * FROM longest")).rows == [(-(2**63),)]
    await made.close()


async def test_who_leaves_while_it_is_opened_leaves_nothing_open(tmp_path: Path) -> None:
    first = opened(tmp_path)
    asking = asyncio.create_task(first.query("SELECT 1"))
    for _ in range(3):
        await asyncio.sleep(0)  # a thread opens it now
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await first.close()
    second = opened(tmp_path)
    assert await count(second) == 0
    await second.close()


async def test_many_appends_at_once_are_all_there(analytics: Analytics) -> None:
    await asyncio.gather(*(analytics.append(USAGE, [{"tokens": n}] * 10) for n in range(200)))
    assert (await analytics.query("SELECT count(*), sum(tokens) FROM usage")).rows == [(2000, 199 * 1000)]


async def test_rows_that_cannot_be_held_fail_alone_and_whole(analytics: Analytics) -> None:
    given = [[{"tokens": 1}], [{"tokens": 2}, {"tokens": "many"}], [{"streamed": 7.5}], [{"tokens": 4}]]
    results = await asyncio.gather(*(analytics.append(USAGE, rows) for rows in given), return_exceptions=True)
    assert [type(result) for result in results[:2]] == [type(None), RequestError]
    assert str(results[1]).startswith("`usage` cannot hold these rows: ")
    assert (await analytics.query("SELECT tokens FROM usage WHERE tokens > 0 ORDER BY 1")).rows == [(1,), (4,)]


async def test_a_column_that_is_not_there_is_a_bug(analytics: Analytics) -> None:
    with pytest.raises(ValueError, match="`usage` has no column"):
        await analytics.append(USAGE, [{"tokens": 1, "token": 2}])
    with pytest.raises(ValueError, match="two tables"):
        analytics.add(AnalyticsTable(name="usage", columns=()))
    with pytest.raises(ValueError, match="small letters"):
        AnalyticsTable(name='x"; DROP', columns=())
    with pytest.raises(ValueError, match="no column `when`"):
        AnalyticsTable(name="x", columns=(), aged_by="when")


async def test_old_rows_are_removed(analytics: Analytics) -> None:
    await analytics.append(USAGE, [{"at": float(second)} for second in range(10)])
    assert await analytics.remove_before(USAGE, 4.0) == 4
    assert await count(analytics) == 6


async def test_it_is_there_after_reopening_and_tables_get_new_columns(tmp_path: Path) -> None:
    old = AnalyticsTable(name="usage", columns=(AnalyticsColumn("tokens", "integer"),))
    first = opened(tmp_path, old)
    await first.append(old, [{"tokens": 1}])
    await first.close()
    await first.close()
    with pytest.raises(RuntimeError, match="closed"):
        await first.query("SELECT 1")
    second = opened(tmp_path)
    more = AnalyticsTable(name="more", columns=(AnalyticsColumn("n", "integer"),))
    await second.append(USAGE, [{"tokens": 2, "model": "m"}])
    second.add(more)  # while it is open
    await second.append(more, [{"n": 1}])
    assert (await second.query("SELECT tokens, model FROM usage ORDER BY 1")).rows == [(1, None), (2, "m")]
    await second.close()
    folder = tmp_path / "analytics"
    assert [file.name for file in folder.iterdir()] == ["analytics.duckdb"]
    assert oct(folder.stat().st_mode & 0o777) == "0o700"


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO usage (tokens) VALUES (1)",
        "WITH new AS (INSERT INTO usage (tokens) VALUES (1) RETURNING tokens) SELECT * FROM new",
        "DELETE FROM usage",
        "DROP TABLE usage",
        "SELECT 1; DELETE FROM usage",
        "COMMIT",
        "SET memory_limit = '100GB'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "COPY usage TO '/tmp/usage.csv'",
        "ATTACH 'other.duckdb'",
        "INSTALL fts",
        "LOAD httpfs",
        "SELECT * FROM nowhere",
        "SELECT nothing FROM usage",
        "SELECT 1 +",
        "SELECT CAST('x' AS INTEGER)",
        "",
    ],
)
async def test_a_query_that_is_wrong_or_would_change_something_is_refused(analytics: Analytics, sql: str) -> None:
    await analytics.append(USAGE, [{"tokens": 1}])
    with pytest.raises(RequestError) as raised:
        await analytics.query(sql)
    assert raised.value.code == "invalid_query"
    assert await count(analytics) == 1


async def test_a_query_has_a_limit_of_rows(analytics: Analytics) -> None:
    found = await analytics.query("SELECT * FROM range(?)", [100], most_rows=10)
    assert (found.columns, len(found.rows), found.has_more) == (("range",), 10, True)
    assert not (await analytics.query("SELECT * FROM range(10)", most_rows=10)).has_more


async def test_a_query_has_a_limit_of_time(analytics: Analytics) -> None:
    slow = "SELECT count(*) FROM range(100000000) a, range(1000000) b WHERE (a.range * b.range) % 7 = 3"
    with pytest.raises(RequestError, match=r"did not end within 0\.2 s") as raised:
        await analytics.query(slow, limit_s=0.2)
    assert raised.value.code == "query_too_slow"
    waiting = [asyncio.ensure_future(analytics.query(slow)) for _ in range(4)]  # all threads
    await asyncio.wait(waiting, timeout=0)
    for one in waiting:
        one.cancel()
    await asyncio.wait(waiting)
    assert await count(analytics) == 0  # and they are free again


def test_a_query_whose_connection_is_closed_can_still_be_interrupted() -> None:
    """As where its limit of time ends it in the moment in which it ends by itself."""

    def read(query: Query) -> Rows:
        with duckdb.connect() as connection, query.on(connection):
            found = connection.execute(query.sql).fetchall()
        query.interrupt()
        return Rows(columns=("a",), rows=found, has_more=False)

    assert Query("SELECT 1", (), most_rows=1, read=read, ended=lambda _: None).run().rows == [(1,)]


async def test_a_query_has_a_limit_of_memory(tmp_path: Path) -> None:
    analytics = opened(tmp_path, memory_limit="64MB")
    with pytest.raises(RequestError) as raised:
        await analytics.query("SELECT list(range ORDER BY hash(range)) FROM range(100000000)")
    assert raised.value.code == "query_too_large"
    assert "64MB" in raised.value.message
    assert await count(analytics) == 0
    await analytics.close()


@pytest.mark.parametrize(
    "sql",
    ["SELECT repeat('x', 10000) FROM range(5000)", "SELECT {'a': range, 'b': [range, 1]} FROM range(9999)"],
)
async def test_what_a_query_finds_has_a_limit_of_memory_too(tmp_path: Path, sql: str) -> None:
    analytics = opened(tmp_path, max_result_bytes=1_000_000)
    assert len((await analytics.query(sql, most_rows=50)).rows) == 50
    with pytest.raises(RequestError, match="finds more than 1000000 bytes") as raised:
        await analytics.query(sql)
    assert raised.value.code == "query_too_large"
    assert "max_result_bytes" in str(raised.value.hint)
    assert await count(analytics) == 0
    await analytics.close()


def modes(folder: Path) -> dict[str, str]:
    """The permissions of everything in a folder."""
    return {path.name: oct(path.stat().st_mode & 0o777) for path in folder.rglob("*")}


async def test_its_files_are_for_their_owner_whatever_the_umask(tmp_path: Path) -> None:
    """In a folder of somebody else's, too."""
    before = os.umask(0)
    try:
        analytics = opened(tmp_path, db_path="a.duckdb", memory_limit="100MB", threads=1)
        names = {"a.duckdb": "0o600", "a.duckdb.wal": "0o600", "a.duckdb.tmp": "0o700"}
        for _ in range(60):  # several times as much as is written before the log begins anew
            rows = [{"tokens": number, "more": {"note": f"{number}" * 200}} for number in range(1000)]
            await analytics.append(USAGE, rows)
            found = modes(tmp_path)
            assert found == {name: mode for name, mode in names.items() if name in found}
        spilled = "SELECT count(*) FROM (SELECT more || random() AS text FROM usage ORDER BY text OFFSET 1)"
        assert (await analytics.query(spilled)).rows == [(59_999,)]
        await analytics.close()
        assert modes(tmp_path) == {"a.duckdb": "0o600"}
    finally:
        os.umask(before)


async def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.duckdb").write_text("not a database, but long enough to be looked at" * 1000)
    analytics = opened(tmp_path, db_path="x.duckdb")
    with pytest.raises(Unavailable) as raised:
        await analytics.append(USAGE, [{"tokens": 1}])
    assert raised.value.message.startswith(f"the analytics `{tmp_path}/x.duckdb` could not be opened: ")
    assert raised.value.code == "storage_unavailable"
    await analytics.close()


async def test_a_missing_package_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "runtime.storage.analytics.database", raising=False)
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(Unavailable, match="need the package `duckdb>=") as raised:
        await opened(tmp_path).query("SELECT 1")
    assert raised.value.hint is not None and "`analytics: {}`" in raised.value.hint


async def test_a_stack_has_one_file_and_opens_it_at_first_use(tmp_path: Path) -> None:
    config = StorageConfig.model_validate({"analytics": {"db_path": "a.duckdb"}})
    assert config.packages() == ("duckdb>=1.4",)
    assert StorageConfig().packages() == ()
    stores = Stores(config, tmp_path)
    analytics = stores.analytics(USAGE)
    assert stores.analytics() is analytics
    assert list(tmp_path.iterdir()) == []
    await analytics.append(USAGE, [{"tokens": 1}])
    await stores.close()
    assert [file.name for file in tmp_path.iterdir()] == ["a.duckdb"]
    with pytest.raises(RuntimeError):
        await analytics.query("SELECT 1")
