"""Responses: which of their parameters are used. Of tools, spans say only the calls."""

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
        self.instruments: tuple[Instrument, ...] = (self._parameters,)

    def count(self, span: Span, seconds: float) -> None:
        if span.attributes.get(names.API_OPERATION) != _CREATE:
            return
        for name in _PARAMETERS.keys() & span.attributes.keys():
            self._parameters.add((_CREATE, _PARAMETERS[name]))
