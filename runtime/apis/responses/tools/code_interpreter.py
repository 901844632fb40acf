"""Code that a model has run: the tool, its item, and its events.

https://platform.openai.com/docs/guides/tools-code-interpreter

    code_interpreter_call.in_progress, code_interpreter_call_code.delta, .done, code_interpreter_call.interpreting,
        .completed
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

from pydantic import Discriminator, Field, Tag
from typing_extensions import TypedDict

from runtime.apis._names import NamedResource, ResourceId
from runtime.apis._request import AT_ONCE
from runtime.apis.containers.container import MOST_FILES_AT_CREATION
from runtime.apis.containers.limits import MemoryLimit
from runtime.apis.inference._shared import OPEN
from runtime.apis.responses.event_fields import OfItem
from runtime.apis.responses.tool_kind import ItemKind, ToolKind

OUTPUTS = "code_interpreter_call.outputs"


class AutoNetworkPolicy(TypedDict, total=False):
    """What code in a new container can reach."""

    __pydantic_config__ = OPEN  # type: ignore[misc]  # how pydantic configures a TypedDict
    type: Required[
        Annotated[
            Literal["disabled", "allowlist"],
            Field(description="`disabled`: nothing. `allowlist` is refused where its provider cannot hold it."),
        ]
    ]
    allowed_domains: Annotated[
        Annotated[list[str], AT_ONCE] | None,
        Field(description="What can be reached, with `allowlist`. Default: nothing."),
    ]


class AutoContainer(TypedDict, total=False):
    """The container of the last code of the conversation while there is one, else a new one."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["auto"]]
    file_ids: Annotated[
        Annotated[list[NamedResource], AT_ONCE] | None,
        Field(
            max_length=MOST_FILES_AT_CREATION,
            description="Files that are copied into it unless it has them, at most 50. Default: none.",
        ),
    ]
    memory_limit: Annotated[
        MemoryLimit | None, Field(description="How much memory a new one may take. Default: the provider's.")
    ]
    network_policy: Annotated[
        AutoNetworkPolicy | None, Field(description="What code can reach in a new one. Default: nothing.")
    ]


def _shape(given: Any) -> str:
    return "id" if isinstance(given, str) else "auto"


class CodeInterpreterTool(TypedDict, total=False):
    """Runs Python that the model writes, in a container."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["code_interpreter"]]
    container: Annotated[
        Annotated[
            Annotated[NamedResource, Tag("id")] | Annotated[AutoContainer, Tag("auto")],
            Discriminator(_shape),
        ],
        Field(description='The id of a container, or `{"type": "auto"}`, which is the default.'),
    ]


class CodeInterpreterChoice(TypedDict, total=False):
    """The model must run code."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["code_interpreter"]]


class CodeInterpreterCall(TypedDict, total=False):
    """Code that the model had run."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["code_interpreter_call"]]
    code: Required[Annotated[str | None, Field(description="The code.")]]
    container_id: Annotated[ResourceId, Field(description="The container it ran in.")]
    outputs: Annotated[
        Annotated[list[dict[str, Any]], AT_ONCE] | None,
        Field(
            description="What came of it: `logs`, as the model reads them, and, if asked for by `include`, each `image`"
            " with its `url` on this server."
        ),
    ]
    id: Annotated[str | None, Field(description="Its id.")]
    status: Annotated[
        str | None,
        Field(
            description="`in_progress`, `interpreting`, `completed`, `failed`, or `incomplete`: it exceeded a limit."
        ),
    ]


class CodeInterpreterCallInProgress(OfItem):
    """The model has written code."""

    type: Literal["response.code_interpreter_call.in_progress"] = "response.code_interpreter_call.in_progress"


class CodeInterpreterCallCodeDelta(OfItem):
    """A piece of the code."""

    type: Literal["response.code_interpreter_call_code.delta"] = "response.code_interpreter_call_code.delta"
    delta: str = Field(description="The next piece.")


class CodeInterpreterCallCodeDone(OfItem):
    """The code is complete."""

    type: Literal["response.code_interpreter_call_code.done"] = "response.code_interpreter_call_code.done"
    code: str = Field(description="All of it.")


class CodeInterpreterCallInterpreting(OfItem):
    """The code runs."""

    type: Literal["response.code_interpreter_call.interpreting"] = "response.code_interpreter_call.interpreting"


class CodeInterpreterCallCompleted(OfItem):
    """The code has run."""

    type: Literal["response.code_interpreter_call.completed"] = "response.code_interpreter_call.completed"


KIND = ToolKind(
    tool=CodeInterpreterTool,
    choice=CodeInterpreterChoice,
    items=(ItemKind(shape=CodeInterpreterCall, prefix="ci_"),),
    events=(
        CodeInterpreterCallInProgress,
        CodeInterpreterCallCodeDelta,
        CodeInterpreterCallCodeDone,
        CodeInterpreterCallInterpreting,
        CodeInterpreterCallCompleted,
    ),
    includes=(OUTPUTS,),
)
