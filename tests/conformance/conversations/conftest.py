"""A stack for a module's tests, once with each database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import upstream_server
from tests.conformance.conversations.talking import Talking
from tests.support.postgres import PostgresServer
from tests.support.stacks import openai_at


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def backends(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The run config's backends of storage."""
    tables: dict[str, Any] = {"type": "sql_sqlite"}
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        tables = {"type": "sql_postgres", "connection_string": server.database()}
    return {"kv_default": {"type": "kv_memory"}, "sql_default": tables}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole_module(backends: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Talking]:
    async with upstream_server() as vendor:
        run = run_config(openai_at(vendor.url), storage={"backends": backends})
        async with serving(run, tmp_path_factory.mktemp("state")) as served:
            yield Talking(served.client, vendor, served.stack)


@pytest.fixture
def talking(whole_module: Talking) -> Iterator[Talking]:
    """The vendor answers as `conformance/upstream` says until it is told what to say."""
    yield whole_module
    whole_module.vendor.misbehaves = None
    whole_module.vendor.gate.set()
    whole_module.vendor.waiting_at_gate.clear()
    whole_module.vendor.ended_early.clear()
