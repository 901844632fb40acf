"""The reference servers of the registries: npm's `server-everything` and `server-filesystem`, PyPI's fetch server."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.server import HTTPServer
from pathlib import Path

import pytest

from tests.conformance.connectors.asking import Asking, Known, until
from tests.support.mcp_server import free_port
from tests.support.official_clients import node_modules, python_environment
from tests.support.shared import Shared
from tests.support.small_server import SmallHandler, running, url_of

REFERENCE = Path(__file__).parent / "reference"
EVERYTHING = "node_modules/@modelcontextprotocol/server-everything/dist/index.js"
FILESYSTEM = "node_modules/@modelcontextprotocol/server-filesystem/dist/index.js"


@pytest.fixture
def node(shared: Shared) -> Path:
    return node_modules(shared, "mcp-reference-servers", [REFERENCE / "package.json", REFERENCE / "loopback.cjs"])


@asynccontextmanager
async def everything(folder: Path, transport: str, port: int) -> AsyncIterator[None]:
    """The server over HTTP, until the block ends."""
    process = await asyncio.create_subprocess_exec(
        folder / "node", "-r", folder / "loopback.cjs", folder / EVERYTHING, transport,
        env={"PATH": os.environ["PATH"], "PORT": str(port)},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        async with asyncio.timeout(30):
            while b"port" not in await process.stderr.readline():
                assert process.returncode is None, "it has ended"
        yield
    finally:
        process.kill()
        await process.communicate()


async def use(connectors: Asking, connector: Known) -> None:
    """What everybody does with that server."""
    tools = {tool.name: tool for tool in await connectors.tools(connector)}
    assert tools["echo"].input_schema["properties"]["message"]["type"] == "string"
    echoed = await connectors.call("echo", {"message": "hello"}, connector)
    assert echoed.content[0]["text"] == "Echo: hello"
    added = await connectors.call("get-sum", {"a": 2, "b": 3}, connector)
    assert "5" in added.content[0]["text"]
    picture = await connectors.call("get-tiny-image", {}, connector)
    assert "image" in [part["type"] for part in picture.content]
    wrong = await connectors.call("get-sum", {"a": "x"}, connector)
    assert wrong.is_error
    structured = await connectors.call("get-structured-content", {"location": "Chicago"}, connector)
    assert structured.structured_content is not None
    slow = asyncio.create_task(
        connectors.call("trigger-long-running-operation", {"duration": 20, "steps": 2}, connector)
    )
    await asyncio.wait([slow], timeout=0.3)
    slow.cancel()
    assert (await connectors.call("echo", {"message": "still"}, connector)).content[0]["text"] == "Echo: still"
    assert connectors.left[0] == 1


@pytest.mark.parametrize(("transport", "path"), [("streamableHttp", "mcp"), ("sse", "sse")])
async def test_the_everything_server_over_http(connectors: Asking, node: Path, transport: str, path: str) -> None:
    port = free_port()
    connector = Known(id="everything", facts={"url": f"http://127.0.0.1:{port}/{path}"})
    async with everything(node, transport, port):
        await use(connectors, connector)
    async with everything(node, transport, port):
        assert (await connectors.call("echo", {"message": "again"}, connector)).content[0]["text"] == "Echo: again"


async def test_the_everything_server_as_a_program(
    connectors: Asking, node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not-for-programs")
    command = [str(node / "node"), str(node / EVERYTHING), "stdio"]
    connector = Known(id="everything", facts={"command": command, "environment": {"MINE": "given"}})
    await use(connectors, connector)
    told = json.loads((await connectors.call("get-env", {}, connector)).content[0]["text"])
    assert told["MINE"] == "given" and "OPENAI_API_KEY" not in told
    await connectors.adapter.stop()
    await until(lambda: connectors.left == (0, 0))


async def test_the_filesystem_server(connectors: Asking, node: Path, tmp_path: Path) -> None:
    folder = tmp_path.resolve()
    (folder / "note.txt").write_text("llamas graze")
    command = [str(node / "node"), str(node / FILESYSTEM), str(folder)]
    connector = Known(id="files", facts={"command": command, "allowed_tools": ["read_text_file"]})
    assert await connectors.names(connector) == ["read_text_file"]
    read = await connectors.call("read_text_file", {"path": str(folder / "note.txt")}, connector)
    assert read.content[0]["text"] == "llamas graze"
    outside = await connectors.call("read_text_file", {"path": "/etc/passwd"}, connector)
    assert outside.is_error


class Page(SmallHandler):
    def do_GET(self) -> None:
        found = self.path == "/page"
        self.answer(b"<p>A llama grazes.</p>" if found else b"", status=200 if found else 404, kind="text/html")


async def test_the_fetch_server(connectors: Asking, shared: Shared) -> None:
    python = await asyncio.to_thread(python_environment, shared, "mcp-fetch", (3, 11), ["mcp-server-fetch>=2025.4"])
    connector = Known(
        id="fetch",
        facts={"command": [str(python), "-m", "mcp_server_fetch", "--ignore-robots-txt", "--allow-private-ips"]},
    )
    with running(HTTPServer(("127.0.0.1", 0), Page)) as server:
        read = await connectors.call("fetch", {"url": f"{url_of(server)}/page"}, connector)
    assert "A llama grazes." in read.content[0]["text"]
