"""What a tool is: offered to the model as functions, and run here when the model calls one of these."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from runtime.apis.connectors.protocol import Connectors
from runtime.apis.containers.protocol import Containers
from runtime.apis.inference.calls import Call
from runtime.apis.inference.protocol import Inference
from runtime.apis.responses.request import CreateResponseRequest
from runtime.apis.responses.tool_kind import ToolKind
from runtime.apis.tool_runtime.protocol import ToolRuntime
from runtime.apis.vector_stores.protocol import VectorStores
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.approving import Approved
from runtime.providers.responses.builtin.transcript import Transcript
from runtime.sse import Json
from runtime.telemetry.tool_calls import BAD_ARGUMENTS, ToolType, note_failure


class Tool(Protocol):
    """A function that is run here. to_give_less: what a caller can do whose model cannot read so much of it. type: what
    a trace calls it.
    """

    to_give_less: str = ""
    type: ToolType = "extension"

    def asks(self, call: Call, answering: Answering) -> bool:
        """Whether the caller has to allow the call first. If so, the item that asks for it is in the output now."""
        return False

    def run(self, call: Call, answering: Answering) -> AsyncGenerator[str, None]:
        """Put the call's item into the output, do what it asks for, and yield once for each time that events are to
        be passed on; the last that is yielded is what the model is told. A call that cannot be done is an item that
        failed, and words for the model: it raises nothing but what ends the response. Other calls may run meanwhile,
        of the same tool too: they begin when this one has yielded something, so its item comes before that.
        """
        ...


class Corrects(Tool):
    """A tool that says once what is wrong with its arguments, so that the model can call it again."""

    _has_said = False

    def said(self, wrong: str, call: Call, *, such_as: str = "") -> str | None:
        """What the model is told of arguments that make no sense. None where nothing is wrong, and where it was told
        before: then the call has failed. such_as: arguments that do.
        """
        if wrong:
            note_failure(BAD_ARGUMENTS)
        if not wrong or self._has_said:
            return None
        self._has_said = True
        return f"{wrong}. Call `{call.name}` again with a JSON object{f' such as {such_as}' if such_as else ''}."


class Opening(Protocol):
    """What comes first in the output, before anything of the model's."""

    def tell(self, answering: Answering) -> None: ...


@dataclass(frozen=True, kw_only=True)
class ToRun:
    """A call and what runs it."""

    call: Call
    tool: Tool


@dataclass(frozen=True, kw_only=True)
class Apis:
    """What tools ask; None for what is not here."""

    inference: Inference
    vector_stores: VectorStores | None
    tool_runtime: ToolRuntime | None
    connectors: Connectors | None
    containers: Containers | None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What tools are offered for. items: the history, those of the request at its end. approved: the calls that the
    caller has allowed now.
    """

    request: CreateResponseRequest
    items: Sequence[Json]
    approved: Sequence[Approved] = ()
    apis: Apis


@dataclass(frozen=True, kw_only=True)
class Function:
    """What a model can call. kind: the type of the request's tool that it is of. definition: what the model is told of
    it, as chat completions have it. tool: runs it; None where the caller does. label: of the server or group that has
    it.
    """

    kind: str
    name: str
    definition: Json
    tool: Tool | None = None
    label: str | None = None

    def told(self, name: str) -> Json:
        """What the model is told, by the name that it calls it."""
        # Bedrock refuses an empty description.
        given = {key: value for key, value in self.definition.items() if value or key != "description"}
        return {"type": "function", "function": {**given, "name": name}}

    def chosen(self, name: str) -> Json:
        """How `tool_choice` names it."""
        return {"type": "function", "function": {"name": name}}

    def is_meant(self, kind: str, label: str | None, name: str | None) -> bool:
        """Whether a part of `tool_choice` means it: of its kind, and of its label and name where it has these."""
        return kind == self.kind and label in (None, self.label) and name in (None, self.name)


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What one tool of the request comes to. openings: what it puts at the beginning of the output. allowed: calls of
    earlier answers that the caller has allowed now, which are run before the model is asked.
    """

    functions: Sequence[Function]
    openings: Sequence[Opening] = ()
    allowed: Sequence[ToRun] = ()


Offering = Callable[[Any, str, Asked], Awaitable[Offer]]
"""A tool of the request, its place there for messages, and what it is offered for. Raises what refuses the request."""


def _say_nothing(item: Json, transcript: Transcript) -> None:
    """What was found or done is in the answer after it."""


@dataclass(frozen=True, kw_only=True)
class ToolHandler:
    """What is done with a kind of tool: each is one file in `tools/`, which states it as `TOOL`.

    offer: what a tool of a request comes to. recall: puts an item of its into what the model reads, when a later
    response goes on; nothing by default. in_place_of_two: what a caller does who wants two of them, where a request has
    one at most.
    """

    kind: ToolKind
    offer: Offering
    recall: Callable[[Json, Transcript], None] = _say_nothing
    in_place_of_two: str = ""
