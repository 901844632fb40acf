"""How long a model stays in memory after its last answer, as run configs and requests write it: in seconds, or as in
`10m`; negative for ever.

A request's field is Ollama's: https://github.com/ollama/ollama/blob/main/docs/faq.md.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BeforeValidator

from runtime.durations import parse_duration

FOR_EVER = -1.0


def keep_alive_seconds(value: Any) -> float:
    """Seconds, infinity for a negative value. Raises ValueError for what is neither a number nor a duration."""
    if isinstance(value, str):
        is_negative = value.startswith("-")
        value = -parse_duration(value[1:]) if is_negative else parse_duration(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise ValueError("give seconds, a duration such as `10m`, 0 for not at all, or -1 for ever")
    try:
        return math.inf if value < 0 else float(value)
    except OverflowError:
        return math.inf


def _written(value: Any) -> float:
    seconds = keep_alive_seconds(value)
    return FOR_EVER if seconds == math.inf else seconds


KeepAlive = Annotated[float, BeforeValidator(_written)]
"""A setting: seconds, given as `10m` or as a number; -1 is for ever."""
