"""The conformance suite of the Model Context Protocol, against the stack as a server.

Its scenarios for what the stack does not offer, such as resources and sampling, are left out; those of prompts want
names, and ours have ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import upstream_server
from runtime.server.app import make_app
from tests.support.examples import toolbox
from tests.support.mounting import mount
from tests.support.official_clients import LIMIT_S, node_folder
from tests.support.raw_http import listening
from tests.support.shared import Shared
from tests.support.stacks import openai_at

SCENARIOS = [
    *("server-initialize", "ping", "tools-list", "tools-call-simple-text", "tools-call-image", "tools-call-error"),
    *("json-schema-2020-12", "prompts-list", "dns-rebinding-protection"),
]
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(2 * LIMIT_S)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    pytest.importorskip("mcp", reason="the official SDK of MCP is not installed")
    with pytest.MonkeyPatch.context() as patch:
        mount(patch, toolbox)
        async with upstream_server() as vendor:
            tools = [{"provider_id": "suite", "provider_type": "inline::suite"}]
            run = run_config(providers={"inference": [openai_at(vendor.url)], "tool_runtime": tools})
            async with (
                serving(run, tmp_path_factory.mktemp("state")) as running,
                listening(make_app(running.stack, hosts=[], starts_stack=False)) as door,
            ):
                yield f"http://127.0.0.1:{door.port}/mcp"


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_the_suite_s_scenario(scenario: str, url: str, shared: Shared, tmp_path: Path) -> None:
    folder = await asyncio.to_thread(node_folder, shared)
    suite = folder / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
    process = await asyncio.create_subprocess_exec(
        *(folder / "node", suite, "server", "--url", url, "--scenario", scenario),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    async with asyncio.timeout(LIMIT_S):
        told = await process.stdout.read()
        code = await process.wait()
    assert code == 0, told.decode(errors="replace")[-3000:]
