"""MCP servers that are programs of this machine, spoken to over their input and output, a message a line.

https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#stdio. Not with the SDK's own transport: that
leaves what a program has started, when the program ends by itself, and reads lines of any length. A program gets none
of our environment but `PATH`, `HOME` and the like. What it writes to its standard error is read so that it cannot fill
a pipe; the end of that is told in the log if the program fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from runtime.errors import UpstreamUnreachable
from runtime.providers.connectors.builtin.servers import Server
from runtime.starting import start_hint
from runtime.to_the_end import to_the_end

log = logging.getLogger(__name__)
_LAST_LINES = 20
_LINE_CHARS = 500
_LINE_BYTES = 64 * 1024
_GRACE_S = 2.0
"""For a program whose input has ended, and again for one that was told to end."""


@asynccontextmanager
async def program(server: Server, *, limit_bytes: int) -> AsyncGenerator[tuple[Any, Callable[[], None]], None]:
    """The streams of a program that runs until the end, and what tells its last words in the log. limit_bytes: of one
    message. Raises UpstreamUnreachable if it cannot be started.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *server.command,
            env={**get_default_environment(), **server.environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=limit_bytes,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UpstreamUnreachable(
            f"the program of MCP server `{server.label}` cannot be started: {reason}",
            provider_id=server.label,
            hint=start_hint(error, "is what `command` names in the run config installed, and may it be run?"),
        ) from error
    words = _LastWords(server)
    send, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, receive = anyio.create_memory_object_stream[SessionMessage](0)
    assert process.stdin and process.stdout and process.stderr, "it has pipes"
    tasks = [
        asyncio.create_task(_from(process.stdout, send)),
        asyncio.create_task(_to(process.stdin, receive)),
        asyncio.create_task(words.read(process.stderr)),
    ]

    async def end() -> None:
        await _end(process)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for stream in (send, read, write, receive):
            stream.close()

    try:
        yield (read, write), words.tell
    finally:
        await to_the_end(end())  # a program must not be left


async def _from(stdout: asyncio.StreamReader, send: Any) -> None:
    """Pass on what a program says, until it ends, or says a line that is too long."""
    async with send:
        with contextlib.suppress(ValueError, ConnectionError, anyio.BrokenResourceError):
            while line := await stdout.readline():
                if not line.strip():
                    continue
                try:
                    message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                except ValueError as error:
                    await send.send(error)
                else:
                    await send.send(SessionMessage(message))


async def _to(stdin: asyncio.StreamWriter, receive: Any) -> None:
    async with receive:
        with contextlib.suppress(ConnectionError):
            async for one in receive:
                stdin.write(one.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
                await stdin.drain()


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a program and all of its group: first by the end of its input, as the protocol has it."""
    assert process.stdin, "it has pipes"
    process.stdin.close()
    if not await _has_ended(process):
        _signal(process.pid, signal.SIGTERM)
        await _has_ended(process)
    _signal(process.pid, signal.SIGKILL)  # also what it has left behind
    await process.wait()


async def _has_ended(process: asyncio.subprocess.Process) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GRACE_S):
            await process.wait()
    return process.returncode is not None


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


class _LastWords:
    """What a program wrote to its standard error, without the values of its environment."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._lines: deque[bytes] = deque(maxlen=_LAST_LINES)
        self._unfinished = b""

    async def read(self, stderr: asyncio.StreamReader) -> None:
        while data := await stderr.read(16 * 1024):
            *lines, self._unfinished = (self._unfinished + data).splitlines(keepends=True)
            if self._unfinished.endswith((b"\n", b"\r")) or len(self._unfinished) > _LINE_BYTES:
                lines.append(self._unfinished)
                self._unfinished = b""
            self._lines.extend(lines)

    def _told(self, line: bytes) -> str:
        """A whole line: in a part of one, a part of a secret would not be found."""
        return self._without_secrets(line.decode(errors="replace").rstrip("\r\n"))[:_LINE_CHARS]

    def _without_secrets(self, line: str) -> str:
        for value in self._server.environment.values():
            if len(value) >= 6:
                line = line.replace(value, "********")
        return line

    def tell(self) -> None:
        lines = [*self._lines, self._unfinished] if self._unfinished else [*self._lines]
        log.warning(
            "the program of an MCP server has failed",
            extra={"server": self._server.label, "stderr": "\n".join(map(self._told, lines))},
        )
