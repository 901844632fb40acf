"""Servers that are programs: started without our environment, heard when they fail, and ended with all they started."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import sys
from pathlib import Path

import psutil
import pytest

from runtime.errors import NotSupported, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from runtime.providers.connectors.builtin import programs
from runtime.providers.connectors.builtin.programs import _LastWords
from runtime.providers.connectors.builtin.servers import Server
from tests.conformance.connectors.asking import Asking, Known, asking, until
from tests.support.descendants import children, command_line

SERVER = """
import os, subprocess, sys
from mcp.server import MCPServer

made = MCPServer("program", log_level="CRITICAL")

@made.tool()
async def child() -> int:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid

@made.tool()
async def die() -> str:
    print("it was the llama, with " + os.environ["MY_TOKEN"], file=sys.stderr, flush=True)
    os._exit(3)

@made.tool()
async def environment() -> str:
    return ",".join(sorted(os.environ))

made.run("stdio")
"""
TOKEN = "tok-0123456789-secret"


@pytest.fixture
def program(tmp_path: Path) -> Known:
    file = tmp_path / "server.py"
    file.write_text(SERVER)
    return Known(id="program", facts={"command": [sys.executable, str(file)], "environment": {"MY_TOKEN": TOKEN}})


def _children() -> list[str]:
    """The command lines of this process' children that run."""
    return [line for one in children() if (line := " ".join(command_line(one)))]


async def test_it_ends_with_all_that_it_has_started(program: Known) -> None:
    async with asking(idle_s=0.3) as connectors:
        made = await connectors.call("child", {}, program)
        child = psutil.Process(int(made.content[0]["text"]))
        parent = child.parent()
        assert parent is not None and parent.cmdline()[-1].endswith("server.py")
        await until(lambda: connectors.left == (0, 0), within_s=20)
        assert not parent.is_running()
        await until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


async def test_it_sees_none_of_our_environment(
    connectors: Asking, program: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not-for-programs")
    names = (await connectors.call("environment", {}, program)).content[0]["text"].split(",")
    assert "MY_TOKEN" in names and "PATH" in names and "OPENAI_API_KEY" not in names


async def test_one_that_dies_is_heard_and_started_again(
    connectors: Asking, program: Known, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(UpstreamError) as caught:
        await connectors.call("die", {}, program)
    assert caught.value.status == 502 and "may have done" in str(caught.value.hint)
    await until(lambda: connectors.left == (0, 0))
    [told] = [record for record in caplog.records if "program of an MCP server" in record.getMessage()]
    assert "it was the llama" in str(told.__dict__["stderr"]) and TOKEN not in str(told.__dict__["stderr"])
    assert "MY_TOKEN" in (await connectors.call("environment", {}, program)).content[0]["text"]


async def test_one_that_cannot_be_started_is_said(connectors: Asking) -> None:
    missing = Known(id="missing", facts={"command": ["/nowhere/mcp-server"]})
    with pytest.raises(UpstreamUnreachable, match="No such file") as caught:
        await connectors.tools(missing)
    assert "`command`" in str(caught.value.hint) and connectors.left == (0, 0)


async def test_a_system_without_room_for_one_is_not_blamed_on_the_command(
    connectors: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_room(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    with monkeypatch.context() as patched:
        patched.setattr(asyncio, "create_subprocess_exec", no_room)
        with pytest.raises(UpstreamUnreachable) as caught:
            await connectors.tools(Known(id="any", facts={"command": [sys.executable]}))
    assert "try again later" in str(caught.value.hint) and "`command`" not in str(caught.value.hint)


async def test_one_that_says_nothing_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    silent = Known(id="silent", facts={"command": [sys.executable, "-c", "import time; time.sleep(600)"]})
    async with asking(connect_timeout_s=0.5) as connectors:
        with pytest.raises(UpstreamTimeout, match=r"opened no session in 0\.5 s"):
            await connectors.tools(silent)
        await until(lambda: connectors.left == (0, 0))
    assert not any("time.sleep(600)" in words for words in _children())


async def test_whoever_is_cancelled_while_it_ends_leaves_when_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_GRACE_S", 0.2)
    ends = asyncio.Event()
    deaf = Server(label="deaf", command=(sys.executable, "-c", "import time; time.sleep(600)"))

    async def use() -> None:
        async with programs.program(deaf, limit_bytes=1024):
            ends.set()

    using = asyncio.create_task(use())
    await ends.wait()
    for _ in range(2):
        await asyncio.sleep(0)
        using.cancel()
    with pytest.raises(asyncio.CancelledError):
        await using
    assert not any("time.sleep(600)" in words for words in _children())


async def test_it_takes_no_credentials_of_a_request(connectors: Asking, program: Known) -> None:
    with pytest.raises(NotSupported, match="is a program"):
        await connectors.tools(program, authorization="x")
    await asyncio.sleep(0)
    assert connectors.left == (0, 0)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
async def test_a_secret_that_comes_in_pieces_is_not_in_the_log(caplog: pytest.LogCaptureFixture, end: bytes) -> None:
    words = _LastWords(Server(label="odd", command=("odd",), environment={"MY_TOKEN": TOKEN}))
    stderr = asyncio.StreamReader()
    reading = asyncio.create_task(words.read(stderr))
    for piece in (b"first\nit was ", TOKEN[:7].encode(), TOKEN[7:].encode(), b", \xc3", b"\xbc" + end):
        stderr.feed_data(piece)
        async with asyncio.timeout(10):
            while stderr._buffer:  # type: ignore[attr-defined]  # until this piece has been read by itself
                await asyncio.sleep(0)
    words.tell()
    stderr.feed_eof()
    await reading
    assert caplog.records[-1].__dict__["stderr"] == "first\nit was ********, \xfc"
