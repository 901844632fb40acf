"""Tool groups in a response: tools of this stack's `tool_runtime`, each a function that the model can call.

Not one of OpenAI's kinds: of what llama-stack calls agents, which are made of responses here.

    tool_group_call.in_progress, .completed or .failed
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from runtime.apis._names import ResourceId
from runtime.apis._request import AT_ONCE
from runtime.apis.inference._shared import OPEN
from runtime.apis.responses.event_fields import OfItem
from runtime.apis.responses.item_fields import ID
from runtime.apis.responses.tool_kind import ItemKind, ToolKind

MOST_ARGUMENTS = 64
"""That each call has."""
_CLOSED = ConfigDict(extra="forbid")
_GROUP = Field(min_length=1, description="The group's id, as `GET /v1/toolgroups` lists them.")


class ToolGroupTool(TypedDict, total=False):
    """A tool group of this stack. Not one of OpenAI's kinds. Where two of a request have a tool, the later one
    counts.
    """

    __pydantic_config__ = _CLOSED  # type: ignore[misc]  # how pydantic configures a TypedDict
    type: Required[Literal["tool_group"]]
    tool_group: Required[Annotated[ResourceId, _GROUP]]
    allowed_tools: Annotated[
        Annotated[list[ResourceId], AT_ONCE] | None, Field(description="Only these of its tools. Default: all.")
    ]
    args: Annotated[
        Annotated[dict[str, Any], Field(max_length=MOST_ARGUMENTS)] | None,
        Field(
            description="Arguments that each call has, such as `vector_store_ids` of `knowledge_search`: the model"
            " neither sees nor changes them. A response shows them, with `********` for what may be a secret, such as"
            " `api_key`. Default: none."
        ),
    ]


class ToolGroupChoice(TypedDict, total=False):
    """The model must call a tool of a group. Not one of OpenAI's kinds."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]
    type: Required[Literal["tool_group"]]
    tool_group: Annotated[ResourceId | None, Field(description="The group's id. Default: any of `tools`.")]
    name: Annotated[ResourceId | None, Field(description="The tool's name in its group. Default: any.")]


class ToolGroupCall(TypedDict, total=False):
    """A call of a tool of a group, which was run here. Not one of OpenAI's kinds."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["tool_group_call"]]
    tool_group: Required[Annotated[ResourceId, _GROUP]]
    name: Required[Annotated[ResourceId, Field(min_length=1, description="The tool's name in its group.")]]
    arguments: Required[Annotated[str, Field(description="A JSON object, as text: what the model chose.")]]
    output: Annotated[str | None, Field(description="What it gave back, in words. Default: nothing, since it failed.")]
    error: Annotated[str | None, Field(description="Why it failed. Default: it did not.")]
    metadata: Annotated[
        dict[str, Any] | None,
        Field(
            description="What it says beside that, which the model does not read unless there is nothing else; left out"
            " where it has more than 100,000 characters. Default: nothing."
        ),
    ]
    calls_in_answer: Annotated[
        int | None, Field(description="How many calls the model's answer had. Default: not said.")
    ]
    started_at: Annotated[
        float | None, Field(description="When it was begun, in seconds since 1970. Default: not said.")
    ]
    completed_at: Annotated[float | None, Field(description="When it was over, likewise. Default: not said.")]
    id: Annotated[str | None, ID]
    status: Annotated[
        Literal["in_progress", "completed", "incomplete", "failed"] | None,
        Field(description="How far it is. Default: `completed`."),
    ]


class ToolGroupCallInProgress(OfItem):
    """A tool of a group is being run."""

    type: Literal["response.tool_group_call.in_progress"] = "response.tool_group_call.in_progress"


class ToolGroupCallCompleted(OfItem):
    """A tool of a group has given something back."""

    type: Literal["response.tool_group_call.completed"] = "response.tool_group_call.completed"


class ToolGroupCallFailed(OfItem):
    """A tool of a group has failed."""

    type: Literal["response.tool_group_call.failed"] = "response.tool_group_call.failed"


KIND = ToolKind(
    tool=ToolGroupTool,
    choice=ToolGroupChoice,
    labelled_by="tool_group",
    items=(ItemKind(shape=ToolGroupCall, prefix="tgc_", has_status=True),),
    events=(ToolGroupCallInProgress, ToolGroupCallCompleted, ToolGroupCallFailed),
)
