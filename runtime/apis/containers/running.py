"""Code that runs in a container, for the tools that run some."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.apis._request import Response
from runtime.apis.containers.container import ContainerRequest
from runtime.apis.containers.container_file import ContainerFile

Limit = Literal["time", "memory", "disk", "processes", "output"]
"""What code in a container is bounded in."""


class RunCodeRequest(ContainerRequest):
    """Python to run. What one piece of code defines is there for the next one of the same container."""

    code: str = Field(max_length=1_000_000, description="The code.")
    timeout_s: float | None = Field(
        None, gt=0, description="The longest that it may run, in seconds. Default: the provider's, which is the most."
    )


class CodeRun(Response):
    """What came of running code."""

    logs: str = Field("", description="What it wrote and what its last expression is; cut where that is too long.")
    images: list[ContainerFile] = Field(default_factory=list, description="The figures that it drew.")
    files: list[ContainerFile] = Field(
        default_factory=list, description="All files that are new or changed, figures among them."
    )
    error: str | None = Field(None, description="The exception that ended it, if one did.")
    limit: Limit | None = Field(None, description="What it exceeded, if anything; it was ended then.")
    is_fresh: bool = Field(
        False, description="Whether nothing was there of what earlier code had defined: at first, and after a limit."
    )
