"""MCP servers that are programs of this machine, spoken to over their input and output.

The SDK starts one in a process group of its own, without our environment, and ends the group. What the program writes
to its standard error is read so that it cannot fill a pipe; its end is told in the log if the program fails.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from mcp.client._transport import TransportStreams
from mcp.client.stdio import StdioServerParameters, stdio_client

from runtime.errors import UpstreamUnreachable
from runtime.providers.connectors.builtin.servers import Server

log = logging.getLogger(__name__)
_LAST_LINES = 20
_LINE_CHARS = 500


@asynccontextmanager
async def program(server: Server) -> AsyncGenerator[tuple[TransportStreams, Callable[[], None]], None]:
    """The streams of a program that runs until the end, and what tells its last words in the log. Raises
    UpstreamUnreachable if it cannot be started.
    """
    words = _LastWords(server)
    await words.open()
    parameters = StdioServerParameters(
        command=server.command[0], args=list(server.command[1:]), env=dict(server.environment)
    )
    try:
        try:
            running = stdio_client(parameters, errlog=words.target)
            streams = await running.__aenter__()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise UpstreamUnreachable(
                f"the program of MCP server `{server.label}` cannot be started: {reason}",
                provider_id=server.label,
                hint="is `command` in the run config right?",
            ) from error
        finally:
            words.target.close()  # the program has its own
        failure: BaseException | None = None
        try:
            yield streams, words.tell
        except BaseException as error:
            failure = error
            raise
        finally:
            await running.__aexit__(type(failure) if failure else None, failure, None)
    finally:
        words.close()


class _LastWords:
    """target: what a program writes its standard error to."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)

    async def open(self) -> None:
        read, write = os.pipe()
        self.target = os.fdopen(write, "w")
        reader = asyncio.StreamReader(limit=64 * 1024)
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read, "rb", buffering=0)
        )
        self._reading = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(16 * 1024):
            for line in data.decode(errors="replace").splitlines():
                self._lines.append(self._without_secrets(line)[:_LINE_CHARS])

    def _without_secrets(self, line: str) -> str:
        for value in self._server.environment.values():
            if len(value) >= 6:
                line = line.replace(value, "********")
        return line

    def tell(self) -> None:
        log.warning(
            "the program of an MCP server has failed",
            extra={"server": self._server.label, "stderr": "\n".join(self._lines)},
        )

    def close(self) -> None:
        self._reading.cancel()
        self._transport.close()
