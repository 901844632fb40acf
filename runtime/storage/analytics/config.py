"""The settings of analytics: `storage.analytics` of a run config."""

from __future__ import annotations

from pydantic import Field

from runtime.storage.settings import Duration, Section

PACKAGES = ("duckdb>=1.4",)


class AnalyticsConfig(Section):
    """One DuckDB file, and what a query may cost."""

    db_path: str = Field(
        "analytics/analytics.duckdb", min_length=1, description="The file; relative to the server's state folder."
    )
    memory_limit: str = Field(
        "512MB", pattern=r"^\d+ ?(MB|GB|MiB|GiB)$", description="Memory of all queries together, such as `2GB`."
    )
    max_result_bytes: int = Field(
        64 * 1024 * 1024, ge=1, description="Memory of the rows that one query finds, in bytes. The default is 64 MiB."
    )
    threads: int = Field(2, ge=1, description="Threads of one query.")
    query_limit_s: Duration = Field(30.0, description="How long a query may take, as in `30s`.")
