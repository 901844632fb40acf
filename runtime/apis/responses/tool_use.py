"""The tools of a response, and which of them the model must call.

https://platform.openai.com/docs/api-reference/responses/create. Functions and custom tools are
run by the caller, all others here. Each kind is a file of its own in `tools/`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

from pydantic import Field
from typing_extensions import TypedDict

from runtime.apis._request import AT_ONCE
from runtime.apis._types import one_of
from runtime.apis.inference._shared import OPEN
from runtime.apis.responses.tools import KINDS
from runtime.sse import Json

Tool = Annotated[Json, one_of(kind.tool for kind in KINDS)]
"""A TypedDict of one of the files in `tools/`."""
Tools = Annotated[list[Tool], AT_ONCE]


class AllowedTools(TypedDict, total=False):
    """The tools among which the model may choose."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["allowed_tools"]]
    mode: Annotated[
        Literal["auto", "required", "none"],
        Field(description="Whether it may call one of them, or must: `required`. Default: `auto`."),
    ]
    tools: Required[
        Annotated[
            list[dict[str, Any]],
            AT_ONCE,
            Field(
                min_length=1,
                description='Which, each as a choice of one tool, such as `{"type": "function", "name": ...}`.',
            ),
        ]
    ]


_CHOICES = (*(kind.choice for kind in KINDS if kind.choice is not None), AllowedTools)
ToolChoice = Literal["none", "auto", "required"] | Annotated[Json, one_of(_CHOICES)]
