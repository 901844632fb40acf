"""`storage query`: what one SELECT finds in analytics. While a server has their file, it is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from runtime.admin.storage.kept import kept_by
from runtime.errors import NotFound, RequestError

_MISSING = "does not exist"
"""What DuckDB says of a table, or of a function, that there is not."""


async def query(run_yaml: Path, state_dir: Path, *, sql: str, limit: int) -> dict[str, Any]:
    """`columns`, by name; `rows`, values of JSON in that order; `has_more`: whether there are more than `limit` rows.

    Raises NotFound where nothing is in analytics, RequestError for what is wrong with the query, ConfigInvalid,
    Unavailable.
    """
    async with kept_by(run_yaml, state_dir) as kept:
        if kept.analytics.file is None:
            raise NotFound(
                "there is nothing in analytics yet",
                hint="it has what is summed up, such as runs of benchmarks: `eval_runs`, `eval_rows`, `eval_scores`",
            )
        try:
            found = await kept.analytics.source.query(sql)
        except RequestError as error:
            if error.code != "invalid_query":
                raise
            tables = ", ".join(f"`{table.name}`" for table in kept.analytics.tables)
            raise (_unknown(error, tables) if _MISSING in error.message else error) from None
    rows = msgspec.json.decode(msgspec.json.encode(found.rows[:limit]))
    return {"columns": [*found.columns], "rows": rows, "has_more": found.has_more or len(found.rows) > limit}


def _unknown(error: RequestError, tables: str) -> RequestError:
    return RequestError(error.message, hint=f"its tables are {tables}", code=error.code)
