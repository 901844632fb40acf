"""Where another process of the same user asks for analytics while a server has their file: a Unix socket beside it.

    asks      one line of JSON, an `AnalyticsRequest`
    answers   for `lines`, a row on each line; an empty line; one line of JSON: `done`, or `error`

Who may open the file may use the socket, and nobody else. `asked.py` is the other side. A Unix socket and no route:
those have callers who may not see each other's rows, and cannot say that they own the file.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import msgspec

from runtime.errors import RequestError, StackError
from runtime.storage.analytics.handle import Analytics
from runtime.storage.analytics.tables import AnalyticsTable

log = logging.getLogger(__name__)
LONGEST_LINE = 64 * 1024**2
_FD_FOLDER = Path("/proc/self/fd")
FAILURE = ("status", "message", "hint", "code")


def socket_of(file: Path) -> Path:
    """The socket for a file of analytics."""
    return file.with_name(f"{file.name}.sock")


@contextmanager
def address(path: Path) -> Iterator[str]:
    """What to bind or to connect to: an address has 107 bytes at most, and so leads through its folder's descriptor
    where the system has that.
    """
    if not _FD_FOLDER.is_dir():
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"{_FD_FOLDER}/{folder}/{path.name}"
    finally:
        os.close(folder)


class AnalyticsRequest(msgspec.Struct, omit_defaults=True):
    """What is asked for, and what the method of `Analytics` with that name is given."""

    ask: Literal["query", "remove_before", "lines"]
    sql: str = ""
    parameters: list[Any] = []
    table: dict[str, Any] = {}
    before: float = 0.0


async def is_answered(file: Path) -> bool:
    """Whether a server answers for a file; the socket of one that was killed answers nobody."""
    try:
        with address(socket_of(file)) as where:
            _, writer = await asyncio.open_unix_connection(where)
    except OSError:
        return False
    writer.close()
    return True


async def answer_others(analytics: Analytics) -> None:
    """Until it is cancelled; nothing where another server does so, as those that share a file. Raises OSError where
    there can be no socket.
    """
    path = socket_of(analytics.path)
    if await is_answered(analytics.path):
        log.warning("another server answers for the analytics", extra={"file": str(analytics.path)})
        return
    path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    answering: set[asyncio.Task[None]] = set()

    def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_answer(analytics, reader, writer))
        answering.add(task)
        task.add_done_callback(answering.discard)

    with socket.socket(socket.AF_UNIX) as listening:
        os.fchmod(listening.fileno(), 0o600)
        path.unlink(missing_ok=True)
        with address(path) as where:
            listening.bind(where)
        path.chmod(0o600)  # where the mode of the descriptor does not count
        door = await asyncio.start_unix_server(answer, sock=listening, limit=LONGEST_LINE)
        try:
            await asyncio.Event().wait()
        finally:
            path.unlink(missing_ok=True)
            door.close()
            for task in answering:
                task.cancel()
            await asyncio.gather(*answering, return_exceptions=True)


async def _answer(analytics: Analytics, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection, one answer; who leaves in the middle is not told more."""
    try:
        with suppress(OSError):
            try:
                asked = msgspec.json.decode(await reader.readline(), type=AnalyticsRequest)
            except (msgspec.DecodeError, ValueError):  # no such question, or one that is too long
                return
            try:
                last = {"done": await _done(analytics, asked, writer)}
            except StackError as error:
                last = {"error": {name: getattr(error, name) for name in FAILURE}}
            writer.write(b"\n" + msgspec.json.encode(last) + b"\n")
            await writer.drain()
    finally:
        writer.close()


async def _done(analytics: Analytics, asked: AnalyticsRequest, writer: asyncio.StreamWriter) -> Any:
    if asked.ask == "query":
        found = await analytics.query(asked.sql, asked.parameters)
        return {"columns": found.columns, "rows": found.rows, "has_more": found.has_more}
    try:
        table = AnalyticsTable.of(asked.table)
    except ValueError as error:
        raise RequestError(str(error), code="invalid_query") from error
    if asked.ask == "remove_before":
        return await analytics.remove_before(table, asked.before)
    async with aclosing(analytics.lines(table)) as found_lines:
        async for lines in found_lines:
            writer.write(b"".join(line + b"\n" for line in lines))
            await writer.drain()
    return None
