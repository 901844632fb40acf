"""What shields are asked and say: whether something is harmful, and how bad. Which shield is `llama_stack.resource.id`,
as of everything that is routed; neither what was looked at nor what it is said to be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.telemetry import conventions as names
from runtime.telemetry.operation import Described
from runtime.telemetry.spans import Span


class Assessed(Described):
    def answer(self, span: Span, answer: Any) -> None:
        span.attributes[names.FLAGGED] = answer.flagged
        if answer.flagged:
            span.attributes[names.VIOLATION_LEVEL] = answer.violation_level


DESCRIBED: Mapping[str, Described] = {"assess": Assessed()}
