"""A stack with prompts, in each database of tables."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.conformance.stacks import run_config, serving
from tests.conformance.prompts.asking import Asking


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test once for each database, or only with SQLite where its module says `ANY_DATABASE`."""
    if "prompts" in metafunc.fixturenames:
        names = ["sqlite"] if getattr(metafunc.module, "ANY_DATABASE", False) else ["sqlite", "postgres"]
        metafunc.parametrize("prompts", names, indirect=True)


@pytest_asyncio.fixture
async def prompts(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Asking]:
    tables = {"type": "sql_sqlite"}
    if request.param == "postgres":
        tables = {"type": "sql_postgres", "connection_string": request.getfixturevalue("postgres_url")}
    backends = {"kv_default": {"type": "kv_memory"}, "sql_default": tables}
    async with serving(run_config(storage={"backends": backends}, apis=["prompts"]), tmp_path) as served:
        yield Asking(served, served.stack.api("prompts"))
