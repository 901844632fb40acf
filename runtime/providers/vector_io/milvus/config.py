"""Settings of Milvus Lite."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.providers.vector_io._shared.config import VectorConfig


class MilvusConfig(VectorConfig):
    """Where its file is."""

    db_path: str | None = Field(
        None,
        description="Its file; relative to the provider's own folder in the server's state. By default `milvus.db`.",
    )
    consistency_level: Literal["Strong", "Session", "Bounded", "Eventually"] = Field(
        "Strong", description="Of collections that are made. What was put is found at once with `Strong` only."
    )
