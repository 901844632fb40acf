"""The tools of a response, and which of them the model must call.

https://platform.openai.com/docs/api-reference/responses/create. Functions and custom tools are
run by the caller, all others here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from runtime.apis._names import ResourceId
from runtime.apis._request import AT_ONCE
from runtime.apis.inference._shared import OPEN
from runtime.apis.inference.tool_use import FunctionDefinition
from runtime.apis.responses.code_interpreter import CodeInterpreterChoice, CodeInterpreterTool
from runtime.apis.responses.custom_tool import CustomChoice, CustomTool
from runtime.apis.responses.mcp_tool import McpChoice, McpTool
from runtime.apis.responses.web_search import WebSearchChoice, WebSearchTool
from runtime.apis.vector_stores.filters import Filters
from runtime.apis.vector_stores.search import RankingOptions


class FunctionTool(FunctionDefinition, total=False):
    """A function that the caller runs."""

    type: Required[Annotated[Literal["function"], Field(description="Always `function`.")]]


class FileSearchTool(TypedDict, total=False):
    """Searches vector stores for what the model wants to know."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Annotated[Literal["file_search"], Field(description="Always `file_search`.")]]
    vector_store_ids: Required[
        Annotated[
            list[Annotated[ResourceId, Field(min_length=1)]],
            Field(min_length=1, max_length=32, description="The ids of the stores to search."),
        ]
    ]
    max_num_results: Annotated[int | None, Field(ge=1, le=50, description="The most hits. The default is 10.")]
    filters: Annotated[
        Filters | None, Field(description="Only files whose attributes are so. By default, all of them.")
    ]
    ranking_options: Annotated[
        RankingOptions | None, Field(description="How hits are put in order. By default, as the provider has it.")
    ]


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


def _of_this_api(tool: Any) -> Any:
    if isinstance(tool, dict) and isinstance(tool.get("function"), dict) and "name" not in tool:
        message = "the members of `function` stand beside `type` here, unlike in chat completions"
        raise PydanticCustomError("chat_tool", message)
    return tool


_Function = Annotated[FunctionTool, BeforeValidator(_of_this_api)]
Tool = Annotated[
    _Function | CustomTool | FileSearchTool | WebSearchTool | McpTool | CodeInterpreterTool | ToolElsewhere,
    Field(discriminator="type"),
]
Tools = Annotated[list[Tool], AT_ONCE]


class FunctionChoice(TypedDict, total=False):
    """The function that the model must call."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Annotated[Literal["function"], Field(description="Always `function`.")]]
    name: Required[Annotated[str, Field(min_length=1, description="The function's name.")]]


class FileSearchChoice(TypedDict, total=False):
    """The model must search files."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Annotated[Literal["file_search"], Field(description="Always `file_search`.")]]


class AllowedTools(TypedDict, total=False):
    """The tools among which the model may choose."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Annotated[Literal["allowed_tools"], Field(description="Always `allowed_tools`.")]]
    mode: Annotated[
        Literal["auto", "required", "none"],
        Field(description="Whether it may call one of them, or must: `required`. Default: `auto`."),
    ]
    tools: Required[
        Annotated[
            list[dict[str, Any]],
            Field(
                min_length=1,
                description='Which: `{"type": "function", "name": ...}`, `{"type": "file_search"}`,'
                ' `{"type": "code_interpreter"}`, `{"type": "mcp", "server_label": ...}`.',
            ),
        ]
    ]


ToolChoice = (
    Literal["none", "auto", "required"]
    | Annotated[
        FunctionChoice
        | CustomChoice
        | FileSearchChoice
        | WebSearchChoice
        | McpChoice
        | CodeInterpreterChoice
        | AllowedTools,
        Field(discriminator="type"),
    ]
)
