"""Calls of tools."""

from __future__ import annotations

from runtime.telemetry import conventions as names
from runtime.telemetry.metrics import values as also
from runtime.telemetry.metrics.instruments import Counter, Histogram, Instrument
from runtime.telemetry.metrics.values import text
from runtime.telemetry.spans import Span

_INVOKE = "invoke_tool"


class Tools:
    """The calls of providers of tools. tool_group: the group by which the provider was found, if that is known."""

    def __init__(self) -> None:
        by = ("tool_group", "tool_name", "provider", "status")
        self._calls = Counter("llama_stack.tool_runtime.invocations_total", "1", "Calls of tools.", by)
        self._seconds = Histogram(
            "llama_stack.tool_runtime.duration_seconds", "s", "Duration of calls of tools.", by, also.LONG_SECONDS
        )
        self.instruments: tuple[Instrument, ...] = (self._calls, self._seconds)

    def count(self, span: Span, seconds: float) -> None:
        said = span.attributes
        if said.get(names.API_OPERATION) != _INVOKE:
            return
        group, tool = text(said.get(names.RESOURCE_ID)), text(said.get(names.TOOL_NAME))
        outcome = also.ERROR if span.error else also.SUCCESS
        values = (group, tool, text(said.get(names.PROVIDER_ID)), outcome)
        self._calls.add(values)
        self._seconds.record(values, seconds)


class ExecutedTools:
    """The calls of tools that models have asked for, and others that a span tells as one."""

    def __init__(self) -> None:
        self._duration = Histogram(
            "gen_ai.execute_tool.duration",
            "s",
            "Duration of calls of tools.",
            (names.TOOL_NAME, names.ERROR),
            also.MODEL_SECONDS,
        )
        self.instruments: tuple[Instrument, ...] = (self._duration,)

    def count(self, span: Span, seconds: float) -> None:
        self._duration.record((text(span.attributes.get(names.TOOL_NAME)), span.error), seconds)
