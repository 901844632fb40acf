"""The settings that every vector database has."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class VectorConfig(BaseModel):
    """Nothing that all of them share but this: a setting that does not exist is refused."""

    model_config = ConfigDict(extra="forbid")


def _address(given: str) -> str:
    """Without a slash at its end; `http://` where no scheme is given."""
    return (given if "://" in given else f"http://{given}").rstrip("/")


Address = Annotated[str, Field(min_length=1), AfterValidator(_address)]
"""Where a server is asked over HTTP."""
