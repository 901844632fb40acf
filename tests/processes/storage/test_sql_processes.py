"""What tables promise to processes: several may use them at once, and one that is killed has kept what it said."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from runtime.storage.sql import Select, Totals
from tests.support.sql_process import COUNTS, NEW, OLD, PAUSE, ROWS, backend_of, store_of

ROOT = Path(__file__).parents[3]
LIMIT_S = 120


@pytest.fixture(params=["sqlite", "postgres"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that has nothing in it: a file, or a URL."""
    return str(tmp_path / "rows.db") if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:
        yield Start(stack)


class Start:
    """Starts processes of `tests.support.sql_process`, which are killed at the end if they still run."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def __call__(self, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.support.sql_process", *map(str, arguments)]
        process = self._stack.enter_context(
            subprocess.Popen(
                command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
        )
        self._stack.callback(process.kill)
        return process


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def rest(process: subprocess.Popen[str], code: int = 0) -> list[str]:
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == code, said
    return said.split("\n")[:-1]


async def ids(target: str) -> set[str]:
    store = store_of(target)
    found = {row["id"] for row in await store.select(Select(ROWS, columns=("id",)))}
    await (await store.open()).close()
    return found


async def test_4_processes_with_16_writers_each_never_meet_a_lock(target: str, start: Start) -> None:
    said = await asyncio.gather(
        *(asyncio.to_thread(rest, start("write", target, name, 16, 25)) for name in ("a", "b", "c", "d"))
    )
    assert [len(lines) for lines in said] == [400] * 4
    assert await ids(target) == {row for lines in said for row in lines}
    store = store_of(target)
    assert await store.totals(Totals(COUNTS)) == {"count": 4}
    await (await store.open()).close()


async def test_a_process_that_is_killed_twice_has_kept_every_row_that_it_said(target: str, start: Start) -> None:
    acknowledged: list[str] = []
    for name in ("first", "second"):
        process = start("write", target, name, 16)
        acknowledged += [line(process) for _ in range(200)]
        process.send_signal(signal.SIGKILL)
        acknowledged += rest(process, -signal.SIGKILL)
    assert len(acknowledged) >= 400
    assert set(acknowledged) <= await ids(target)


@pytest_asyncio.fixture
async def held(target: str) -> AsyncIterator[asyncpg.Connection | None]:
    """Old tables with a row, and in PostgreSQL the lock that a migration pauses at."""
    store = store_of(target)
    await store.open()
    await (await store.open()).close()
    if not target.startswith("postgresql://"):
        yield None
        return
    connection = await asyncpg.connect(target)
    await connection.execute(
        f"CREATE FUNCTION pause() RETURNS void LANGUAGE sql AS 'SELECT pg_advisory_xact_lock_shared({PAUSE})'"
    )
    await connection.execute("SELECT pg_advisory_lock($1)", PAUSE)
    yield connection
    await connection.close()


async def waiting(connection: asyncpg.Connection, count: int) -> None:
    """Until this many transactions wait for a lock."""
    while await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted") < count:
        pass


async def test_migrations_that_are_killed_in_the_middle_leave_what_was_there(
    target: str, held: asyncpg.Connection | None, start: Start
) -> None:
    for _ in range(2):
        process = start("migrate", target)
        assert line(process) == "opening"
        await (waiting(held, 1) if held else asyncio.to_thread(line, process))
        process.send_signal(signal.SIGKILL)
        rest(process, -signal.SIGKILL)
    if held:
        await held.execute("SELECT pg_advisory_unlock($1)", PAUSE)
    store = store_of(target, OLD)  # raises for a newer version
    assert await store.select(Select(ROWS, columns=("id",))) == []
    assert await (await store.open()).copies() == []
    await (await store.open()).close()
    again = start("migrate", target)
    print("go on", file=again.stdin, flush=True)
    assert rest(again)[-1] == "opened"
    backend = backend_of(target)
    assert len(await backend.copies()) == 1
    await backend.close()
    if held is None:
        assert len([*Path(target).parent.glob(f"{Path(target).name}.*")]) == 1


async def test_of_two_processes_that_migrate_at_once_one_waits_for_the_other(
    target: str, held: asyncpg.Connection | None, start: Start
) -> None:
    first = start("migrate", target)
    assert line(first) == "opening"
    await (waiting(held, 1) if held else asyncio.to_thread(line, first))
    second = start("migrate", target)
    assert line(second) == "opening"
    if held:
        await waiting(held, 2)
        await held.execute("SELECT pg_advisory_unlock($1)", PAUSE)
    else:
        print("go on", file=first.stdin, flush=True)
    assert rest(first) == ["tables migrated", "opened"]
    assert rest(second) == ["opened"]
    store = store_of(target, NEW)
    assert await store.totals(Totals(ROWS)) == {"count": 0}
    await (await store.open()).close()
