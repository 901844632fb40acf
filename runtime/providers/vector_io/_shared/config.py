"""The settings that every vector database has."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from runtime.apis._names import ServerAddress


class VectorConfig(BaseModel):
    """Nothing that all of them share but this: a setting that does not exist is refused."""

    model_config = ConfigDict(extra="forbid", defer_build=True)


def _address(given: Any) -> Any:
    """Without a slash at its end; `http://` where no scheme is given."""
    return (given if "://" in given else f"http://{given}").rstrip("/") if isinstance(given, str) else given


Address = Annotated[ServerAddress, BeforeValidator(_address)]
"""Where a server is asked over HTTP."""
