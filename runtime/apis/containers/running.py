"""Code that runs in a container, for the tools that run some."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runtime.apis._names import NamedResource
from runtime.apis._request import AT_ONCE, Response
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


class BringFilesRequest(ContainerRequest):
    """Files of this server's to have in a container."""

    file_ids: Annotated[list[NamedResource], AT_ONCE] = Field(
        default_factory=list, description="Each is copied unless the container has its copy. Default: none."
    )


class FilesThere(Response):
    """What is in a container."""

    data: list[ContainerFile] = Field(description="Its files, the newest last.")


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


MOST_TOLD = 30_000
"""Characters of output that a model is told."""
_MOST_NAMED = 50
_ENDED = {
    "time": "it took too long",
    "memory": "it took too much memory",
    "disk": "its files took too much space: what it made anew may have been removed",
    "processes": "it had too many processes or threads",
    "output": "it wrote too much",
}


def in_words(run: CodeRun) -> str:
    """What came of code as a model is told of it: its output, bounded, how it ended, and its files."""
    parts = [_bounded(run.logs.rstrip("\n"))]
    if run.error is not None:
        parts.append(_bounded(run.error))
    if run.limit is not None:
        words = _ENDED[run.limit]
        parts.append(f"[The code was ended: limit `{run.limit}`, {words}. Nothing that it defined is left; files are.]")
    if run.files:
        named = ", ".join(f"{file.path} ({file.bytes} bytes)" for file in run.files[:_MOST_NAMED])
        more = f", and {len(run.files) - _MOST_NAMED} more" if len(run.files) > _MOST_NAMED else ""
        parts.append(f"[Files that are new or changed: {named}{more}]")
    return "\n".join(filter(None, parts)) or "[The code ran and wrote nothing.]"


def _bounded(text: str) -> str:
    """The beginning and the end of what is too long: an error is at the end."""
    if len(text) <= MOST_TOLD:
        return text
    half = MOST_TOLD // 2
    return f"{text[:half]}\n[{len(text) - 2 * half} characters are left out]\n{text[-half:]}"
