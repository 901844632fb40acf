"""Kinds of tools that OpenAI has and this server does not: they are understood, and refused."""

from __future__ import annotations

from typing import Annotated, Literal, Required

from pydantic import Field
from typing_extensions import TypedDict

from runtime.apis.inference._shared import OPEN
from runtime.apis.responses.tool_kind import ToolKind


class ToolElsewhere(TypedDict, total=False):
    """A kind of tool that OpenAI has and this server does not: refused."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[
        Annotated[
            Literal[
                "image_generation", "computer", "computer_use", "computer_use_preview", "local_shell", "shell",
                "apply_patch",
            ],
            Field(description="The kind."),
        ]
    ]  # fmt: skip


KIND = ToolKind(tool=ToolElsewhere, includes=("computer_call_output.output.image_url",))
