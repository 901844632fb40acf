"""What series are split by, and into which buckets their numbers go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeGuard

SUCCESS, ERROR = "success", "error"
"""What llama-stack and ogx call how something has ended."""

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""The bounds that OpenTelemetry advises for requests of HTTP."""
LONG_SECONDS = (*SECONDS, 30.0, 60.0, 120.0)
"""For what may have to wait for a model."""
MODEL_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
FIRST_TOKEN_SECONDS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
TOKEN_SECONDS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
TOKENS = tuple(4.0**power for power in range(14))
"""Those that it advises for generative AI."""
_MOST = 10**12
"""Of anything in one call: sums of them stay far below the 64 bits of OTLP."""


def text(value: object) -> str:
    """What a span says, where it is a text; spans say what they like."""
    return value if isinstance(value, str) else ""


def is_count(value: object) -> TypeGuard[int]:
    """Whether a span counts something; vendors say what they like of their tokens."""
    return bool(counts((value,)))


def counts(values: Iterable[object]) -> list[int]:
    """Those that count something."""
    return [value for value in values if isinstance(value, int) and 0 <= value <= _MOST]


def number(value: object) -> int:
    """What a span counts, 0 for what can be no count."""
    return value if is_count(value) else 0
