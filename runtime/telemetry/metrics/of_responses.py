"""Responses: which of their parameters are used, and which kinds of tools."""

from __future__ import annotations

from runtime.telemetry import conventions as names
from runtime.telemetry.metrics.instruments import Counter, Instrument
from runtime.telemetry.spans import Span

_CREATE = "create_response"
_PARAMETERS = {
    names.STREAM: "stream",
    names.TEMPERATURE: "temperature",
    names.TOP_P: "top_p",
    names.MAX_TOKENS: "max_output_tokens",
    names.FREQUENCY_PENALTY: "frequency_penalty",
    names.PRESENCE_PENALTY: "presence_penalty",
    names.BACKGROUND: "background",
    names.CONVERSATION_ID: "conversation",
    names.PREVIOUS_RESPONSE: "previous_response_id",
}


class Responses:
    def __init__(self) -> None:
        self._parameters = Counter(
            "llama_stack.responses.parameter_usage_total",
            "1",
            "Responses that were asked for with a parameter.",
            ("operation", "parameter"),
        )
        self._tool_types = Counter(
            "llama_stack.responses.tool_types_used_total",
            "1",
            "Responses that were asked for with a kind of tools.",
            ("tool_type",),
        )
        self._agentic = Counter(
            "llama_stack.responses.agentic_calls_total", "1", "Responses that were asked for with tools.", ()
        )
        self.instruments: tuple[Instrument, ...] = (self._parameters, self._tool_types, self._agentic)

    def count(self, span: Span, seconds: float) -> None:
        if span.attributes.get(names.API_OPERATION) != _CREATE:
            return
        for name in _PARAMETERS.keys() & span.attributes.keys():
            self._parameters.add((_CREATE, _PARAMETERS[name]))
        if isinstance(kinds := span.attributes.get(names.TOOL_TYPES), list) and kinds:
            self._agentic.add(())
            for kind in kinds:
                self._tool_types.add((kind,))
