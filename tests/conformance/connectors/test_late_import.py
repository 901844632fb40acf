"""The SDK takes seconds to import: nobody pays for that who asks no MCP server."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from tests.conformance.connectors.asking import Asking
from tests.support.mcp_server import RunningMcp

_CODE = """
import sys
from runtime import discovery
spec = discovery.built_in().by_type["connectors", "inline::builtin"]
discovery.load(spec.adapter, package=spec.module)
discovery.load(spec.config, package=spec.module)
print(sorted({"mcp", "mcp_types", "httpx2", "anyio", "starlette"} & set(sys.modules)))
"""


async def test_a_stack_that_asks_no_server_does_not_import_it() -> None:
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", _CODE], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


async def test_first_calls_at_once_import_it_once(connectors: Asking, newest: RunningMcp) -> None:
    at = connectors.at(newest.url)
    found = await asyncio.gather(*(at.text("add", {"a": number, "b": 0}) for number in range(8)))
    assert found == [str(number) for number in range(8)] and newest.times("server/discover") == 1
