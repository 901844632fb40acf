"""The settings that every vector database has."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class VectorConfig(BaseModel):
    """Nothing that all of them share but this: a setting that does not exist is refused."""

    model_config = ConfigDict(extra="forbid")
