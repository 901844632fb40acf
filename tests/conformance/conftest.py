"""Runs each test once for each database that this machine can have."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr

from runtime.storage.postgres.config import PostgresSqlConfig
from runtime.storage.postgres.database import Database
from runtime.storage.sql.backend import SqlBackend
from runtime.storage.sql.postgres import PostgresBackend
from runtime.storage.sql.sqlite import SqliteBackend

Open = Callable[[], SqlBackend]
"""Opens the test's database once more."""


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def open_backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    """A database that has nothing in it yet. What was opened of it is closed in the end."""
    opened: list[SqlBackend] = []
    if request.param == "sqlite":
        make: Open = lambda: SqliteBackend(tmp_path / "sql.db")  # noqa: E731
    else:
        settings = PostgresSqlConfig(connection_string=SecretStr(request.getfixturevalue("postgres_url")))
        make = lambda: PostgresBackend(Database(settings))  # noqa: E731

    def open_one() -> SqlBackend:
        opened.append(make())
        return opened[-1]

    yield open_one
    for backend in opened:
        await backend.close()


@pytest.fixture
def backend(open_backend: Open) -> SqlBackend:
    return open_backend()
