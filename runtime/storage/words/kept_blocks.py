"""The blocks that searches read, the last ones kept in memory: a block never changes, and words that many texts have
are searched for again and again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection

from runtime.storage.sql import Select, SqlStore, one_of
from runtime.storage.words.tables import BLOCKS

_MOST_BYTES = 32 * 1024**2
_READ_AT_ONCE = 500


class KeptBlocks:
    """Of all collections in `rows`."""

    def __init__(self, rows: SqlStore) -> None:
        self._rows = rows
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._bytes = 0

    async def read(self, ids: Collection[int]) -> dict[int, bytes]:
        """Those of these blocks that are there, by id. ids: of segments that are shown; what was kept of one that is
        no longer there is found too. Raises Unavailable.
        """
        found: dict[int, bytes] = {}
        missing = []
        for block in ids:
            if (data := self._kept.get(block)) is None:
                missing.append(block)
            else:
                self._kept.move_to_end(block)
                found[block] = data
        for at in range(0, len(missing), _READ_AT_ONCE):
            for row in await self._rows.select(Select(BLOCKS, one_of("id", missing[at : at + _READ_AT_ONCE]))):
                found[row["id"]] = row["data"]
                self._keep(row["id"], row["data"])
        return found

    def _keep(self, block: int, data: bytes) -> None:
        if block not in self._kept:  # another search may have been faster
            self._bytes += len(data)
        self._kept[block] = data
        while self._bytes > _MOST_BYTES:
            self._bytes -= len(self._kept.popitem(last=False)[1])
