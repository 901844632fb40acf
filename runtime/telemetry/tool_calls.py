"""The span of a tool's call that a model has asked for, with all that the call leads to."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Literal

from runtime.telemetry import conventions as names
from runtime.telemetry.operation import EXECUTE_TOOL, bounded
from runtime.telemetry.spans import begin, current_span, inside

ToolType = Literal["extension", "datastore"]
"""As the conventions call a tool that is run here: one that looks into what is kept here, or any other one."""


class called(AbstractContextManager[None]):  # used as a function
    """A call, for as long as `with called(name, call_id):` lasts. Neither its arguments nor what it gives back are
    told.
    """

    __slots__ = ("_inside", "_span")

    def __init__(self, name: str, call_id: str, type: ToolType = "extension") -> None:
        name = bounded(name)
        self._span = begin(
            f"{EXECUTE_TOOL} {name}",
            {
                names.OPERATION: EXECUTE_TOOL,
                names.TOOL_NAME: name,
                names.TOOL_TYPE: type,
                names.TOOL_CALL_ID: bounded(call_id),
            },
        )
        self._inside = inside(self._span)

    def __enter__(self) -> None:
        self._inside.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._inside.__exit__()
        if self._span is not None:
            if error is not None:
                self._span.fail(error)
            self._span.end()


def is_told() -> bool:
    """Whether what happens now belongs to a tool's call that has a span: whoever runs it tells it no second time."""
    span = current_span()
    return span is not None and span.attributes.get(names.OPERATION) == EXECUTE_TOOL
