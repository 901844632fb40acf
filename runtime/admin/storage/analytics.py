"""The tables of analytics as the other commands see what is kept: found, measured, told of in an archive.

While a server has their file, it is asked.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.storage.analytics.asked import AskedAnalytics
from runtime.storage.analytics.door import is_answered
from runtime.storage.analytics.handle import Analytics
from runtime.storage.analytics.tables import DESCRIPTION, AnalyticsTable, described
from runtime.storage.sql.measuring import Measured

STORE = "analytics"
"""What shows as their store and as their backend: there is one of both."""


@dataclass(frozen=True, kw_only=True)
class KeptAnalytics:
    """handle: of their file, for who writes to it; source: who can be asked about it. file: where it is, if it is."""

    handle: Analytics
    source: Analytics | AskedAnalytics
    tables: tuple[AnalyticsTable, ...] = ()
    file: Path | None = None

    async def measure(self, table: AnalyticsTable, *, before: float | None = None) -> Measured:
        """before: only what is older, in seconds since 1970. Raises Unavailable."""
        query = table.measurement(is_aged=before is not None)
        [values] = (await self.source.query(query, [] if before is None else [before])).rows
        count, size_bytes, oldest, newest = values
        return Measured(count=count, size_bytes=size_bytes, oldest=oldest, newest=newest)


async def kept_analytics(handle: Analytics) -> KeptAnalytics:
    """What is there of them. A file that this environment has no package for is left alone, since nothing that is
    configured uses it. Raises Unavailable.
    """
    if not handle.path.exists():
        return KeptAnalytics(handle=handle, source=handle)
    is_asked = await is_answered(handle.path)
    if not is_asked and importlib.util.find_spec("duckdb") is None:
        return KeptAnalytics(handle=handle, source=handle, file=handle.path)
    source = AskedAnalytics(handle.path) if is_asked else handle
    tables = tuple(described((await source.query(DESCRIPTION)).rows))
    return KeptAnalytics(handle=handle, source=source, tables=tables, file=handle.path)


def folder_of(table: AnalyticsTable) -> str:
    """The folder of an archive for one table."""
    return f"{STORE}-{table.name}"


def part_of(table: AnalyticsTable) -> dict[str, Any]:
    """What an archive says of such a folder."""
    return {"store": STORE, "family": "analytics", "kind": table.name, **table.document()}
