"""Analytics of a server that runs, as another process asks for them; the other side is `door.py`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from runtime.errors import RequestError, Unavailable
from runtime.storage.analytics.door import FAILURE, LONGEST_LINE, AnalyticsRequest, address, socket_of
from runtime.storage.analytics.tables import AnalyticsTable, Rows

_AT_ONCE = 1000


class AskedAnalytics:
    """What `Analytics` says of its file, where a server has it open. Each call raises what that would raise, and
    Unavailable once the server is gone.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    async def query(self, sql: str, parameters: Sequence[Any] = ()) -> Rows:
        """See `Analytics.query`; values are those of JSON."""
        found = await self._ask(AnalyticsRequest(ask="query", sql=sql, parameters=[*parameters]))
        rows = [tuple(row) for row in found["rows"]]
        return Rows(columns=tuple(found["columns"]), rows=rows, has_more=found["has_more"])

    async def remove_before(self, table: AnalyticsTable, before: float) -> int:
        """See `Analytics.remove_before`."""
        removed: int = await self._ask(AnalyticsRequest(ask="remove_before", table=table.document(), before=before))
        return removed

    async def lines(self, table: AnalyticsTable) -> AsyncGenerator[list[bytes], None]:
        """See `Analytics.lines`."""
        async with self._asking(AnalyticsRequest(ask="lines", table=table.document())) as answer:
            some: list[bytes] = []
            while line := await _line(answer):
                some.append(line)
                if len(some) == _AT_ONCE:
                    yield some
                    some = []
            _outcome(await _line(answer))
            yield some

    async def _ask(self, asked: AnalyticsRequest) -> Any:
        async with self._asking(asked) as answer:
            await _line(answer)
            return _outcome(await _line(answer))

    @asynccontextmanager
    async def _asking(self, asked: AnalyticsRequest) -> AsyncIterator[asyncio.StreamReader]:
        try:
            with address(socket_of(self._file)) as where:
                reader, writer = await asyncio.open_unix_connection(where, limit=LONGEST_LINE)
            try:
                writer.write(msgspec.json.encode(asked) + b"\n")
                yield reader
            finally:
                writer.close()
        except (OSError, EOFError) as error:
            raise Unavailable(
                f"the server that has the analytics `{self._file}` does not answer any more",
                hint="try again",
                code="storage_unavailable",
            ) from error


async def _line(answer: asyncio.StreamReader) -> bytes:
    """Without its end. Raises EOFError where it breaks off, Unavailable for one that is too long."""
    try:
        line = await answer.readline()
    except ValueError as error:
        raise Unavailable(
            f"what the server's analytics have at one place is more than {LONGEST_LINE} bytes",
            hint="stop the server, and ask again",
            code="storage_unavailable",
        ) from error
    if not line.endswith(b"\n"):
        raise EOFError
    return line[:-1]


def _outcome(line: bytes) -> Any:
    """What was done. Raises RequestError or Unavailable, as the server did."""
    last = msgspec.json.decode(line)
    if "error" in last:
        status, message, hint, code = (last["error"][name] for name in FAILURE)
        kind = Unavailable if status == Unavailable.status else RequestError
        raise kind(message, hint=hint, code=code)
    return last["done"]
