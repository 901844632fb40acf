"""Tables of analytics, and rows with values of each kind."""

from __future__ import annotations

from typing import Any

from runtime.storage.analytics.tables import AnalyticsColumn, AnalyticsTable

USAGE = AnalyticsTable(
    name="usage",
    columns=(
        AnalyticsColumn("at", "time"),
        AnalyticsColumn("model", "text"),
        AnalyticsColumn("tokens", "integer"),
        AnalyticsColumn("seconds", "real"),
        AnalyticsColumn("streamed", "boolean"),
        AnalyticsColumn("more", "json"),
    ),
    aged_by="at",
)
NOTES = AnalyticsTable(name="notes", columns=(AnalyticsColumn("text", "text"),))
ROWS: list[dict[str, Any]] = [
    {"at": 1_764_174_987.123457, "model": "m 'ключ'\n\"😀\"", "tokens": -(2**63), "seconds": 0.1, "streamed": True},
    {"at": 0.000001, "more": {"a": [1, 2.50, None, "é\n"], "b": 1e300}},
    {"more": 'a "text"'},
    {},
    {},
]
