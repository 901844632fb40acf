"""The span of a tool's call that a model has asked for, with all that the call leads to."""

from __future__ import annotations

from typing import Literal

from runtime.errors import StackError
from runtime.telemetry import conventions as names
from runtime.telemetry.operation import EXECUTE_TOOL, bounded
from runtime.telemetry.spans import Attribute, begin, current_span, during

TOOL_ERROR, BAD_ARGUMENTS = "tool_error", "invalid_arguments"
"""What `error.type` says of a tool that says itself that it has failed, and of arguments that make no sense."""
ToolType = Literal["extension", "datastore"]
"""As the conventions call a tool that is run here: one that looks into what is kept here, or any other one."""


class called(during):  # used as a function
    """A call, for as long as `with called(name, call_id):` lasts. Neither its arguments nor what it gives back are
    told.
    """

    __slots__ = ()

    def __init__(self, name: str, call_id: str, type: ToolType = "extension") -> None:
        name = bounded(name)
        attributes: dict[str, Attribute] = {
            names.OPERATION: EXECUTE_TOOL,
            names.TOOL_NAME: name,
            names.TOOL_TYPE: type,
            names.TOOL_CALL_ID: bounded(call_id),
        }
        super().__init__(begin(f"{EXECUTE_TOOL} {name}", attributes))


def note_failure(why: StackError | str) -> None:
    """The call that goes on has failed, although its model is told of that and nothing is raised. why: what was raised,
    or a word of `error.type`.
    """
    span = current_span()
    if span is None or not is_told():
        return
    if isinstance(why, StackError):
        span.fail(why)
    else:
        span.error = why


def is_told() -> bool:
    """Whether what happens now belongs to a tool's call that has a span: whoever runs it tells it no second time."""
    span = current_span()
    return span is not None and span.attributes.get(names.OPERATION) == EXECUTE_TOOL
