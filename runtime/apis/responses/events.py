"""The events of a response that is streamed, in the shapes of OpenAI's
(https://platform.openai.com/docs/api-reference/responses-streaming). For documentation: they are made as dicts.

    created, (queued,) in_progress, then for each item of the output
        output_item.added
            content_part.added, output_text.delta*, output_text.annotation.added*, output_text.done, content_part.done
            refusal.delta*, refusal.done in the place of output_text; reasoning_text.delta*, .done for thoughts
            those of a tool: see its file in `tools/`
        output_item.done
    completed, incomplete or failed

There is no `[DONE]`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, RootModel

from runtime.apis._types import one_of
from runtime.apis.responses.event_fields import Event, OfItem
from runtime.apis.responses.response import ResponseObject
from runtime.apis.responses.tools import KINDS
from runtime.errors import StackError
from runtime.sse import Json

_number = re.compile(rb'"sequence_number":(\d+)').search


class _OfPart(OfItem):
    content_index: int = Field(description="The place of the part in the item's content, from 0.")


class _OfResponse(Event):
    response: ResponseObject = Field(description="The response as far as it is.")


class _WholeItem(Event):
    output_index: int = Field(description="The item's place in the output, from 0.")
    item: dict[str, Any] = Field(description="The item as far as it is.")


class _WholePart(_OfPart):
    part: dict[str, Any] = Field(description="The part as far as it is.")


class _Piece(_OfPart):
    delta: str = Field(description="The next piece.")


class ResponseCreated(_OfResponse):
    """The response is begun."""

    type: Literal["response.created"] = "response.created"


class ResponseQueued(_OfResponse):
    """The response waits until it is begun."""

    type: Literal["response.queued"] = "response.queued"


class ResponseInProgress(_OfResponse):
    """The response is being made."""

    type: Literal["response.in_progress"] = "response.in_progress"


class ResponseCompleted(_OfResponse):
    """The response is complete."""

    type: Literal["response.completed"] = "response.completed"


class ResponseIncomplete(_OfResponse):
    """The response ended before it was complete."""

    type: Literal["response.incomplete"] = "response.incomplete"


class ResponseFailed(_OfResponse):
    """The response failed."""

    type: Literal["response.failed"] = "response.failed"


class OutputItemAdded(_WholeItem):
    """An item of the output is begun."""

    type: Literal["response.output_item.added"] = "response.output_item.added"


class OutputItemDone(_WholeItem):
    """An item of the output is complete."""

    type: Literal["response.output_item.done"] = "response.output_item.done"


class ContentPartAdded(_WholePart):
    """A part of an item is begun."""

    type: Literal["response.content_part.added"] = "response.content_part.added"


class ContentPartDone(_WholePart):
    """A part of an item is complete."""

    type: Literal["response.content_part.done"] = "response.content_part.done"


class OutputTextDelta(_Piece):
    """A piece of the answer's text."""

    type: Literal["response.output_text.delta"] = "response.output_text.delta"
    logprobs: list[dict[str, Any]] = Field(description="The log-probability of each token, if asked for.")


class OutputTextDone(_OfPart):
    """The text of a part is complete."""

    type: Literal["response.output_text.done"] = "response.output_text.done"
    text: str = Field(description="All of it.")
    logprobs: list[dict[str, Any]] = Field(description="The log-probability of each token, if asked for.")


class AnnotationAdded(_OfPart):
    """A place of the text refers to something."""

    type: Literal["response.output_text.annotation.added"] = "response.output_text.annotation.added"
    annotation_index: int = Field(description="The place among the part's annotations, from 0.")
    annotation: dict[str, Any] = Field(description="What it refers to.")


class RefusalDelta(_Piece):
    """A piece of a refusal."""

    type: Literal["response.refusal.delta"] = "response.refusal.delta"


class RefusalDone(_OfPart):
    """A refusal is complete."""

    type: Literal["response.refusal.done"] = "response.refusal.done"
    refusal: str = Field(description="All of it.")


class ReasoningTextDelta(_Piece):
    """A piece of what the model thinks."""

    type: Literal["response.reasoning_text.delta"] = "response.reasoning_text.delta"


class ReasoningTextDone(_OfPart):
    """What the model thought is complete."""

    type: Literal["response.reasoning_text.done"] = "response.reasoning_text.done"
    text: str = Field(description="All of it.")


class CompactionCompacting(OfItem):
    """A summary of the conversation grows, which takes long: told every half minute."""

    type: Literal["response.compaction.compacting"] = "response.compaction.compacting"


class ErrorEvent(Event):
    """The stream ended before its response did, for example since the server stops."""

    type: Literal["error"] = "error"
    code: str | None = Field(description="A word for programs.")
    message: str = Field(description="What happened.")
    param: str | None = Field(description="The wrong field of the request, if one is.")
    error: dict[str, Any] = Field(description="The same as in an answer that is an error, as Open Responses has it.")


_EVENTS = (
    ResponseCreated,
    ResponseQueued,
    ResponseInProgress,
    ResponseCompleted,
    ResponseIncomplete,
    ResponseFailed,
    OutputItemAdded,
    OutputItemDone,
    ContentPartAdded,
    ContentPartDone,
    OutputTextDelta,
    OutputTextDone,
    AnnotationAdded,
    RefusalDelta,
    RefusalDone,
    ReasoningTextDelta,
    ReasoningTextDone,
    CompactionCompacting,
    ErrorEvent,
    *(event for kind in KINDS for event in kind.events),
)


class ResponseEvent(RootModel[Any]):
    """One event of a response."""

    model_config = ConfigDict(defer_build=True)  # not as a parameter of `RootModel`, which would be built at once

    root: Annotated[Event, one_of(_EVENTS)]


def error_event(error: StackError, last: bytes) -> Json:
    """What a stream ends with that fails. last: the last events that were sent."""
    told = error.body()["error"]
    assert isinstance(told, dict)
    fields = {name: told[name] for name in ("code", "message", "param")}
    return {"type": "error", "sequence_number": last_number(last) + 1, **fields, "error": told}


def last_number(events: bytes) -> int:
    """The sequence number of the last of these events; -1 where there are none."""
    found = _number(events.removesuffix(b"\n\n").rpartition(b"\n\n")[2])
    return int(found[1]) if found else -1
