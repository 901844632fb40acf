"""Whether spans are to have what was said."""

from __future__ import annotations

import os
from collections.abc import Mapping

VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_ON_SPANS = ("true", "span_only", "span_and_event")
"""`event_only` asks for it in events, of which there are none here; `no_content` and `false` ask for nothing."""


def are_asked_for(env: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment asks for it."""
    return env.get(VARIABLE, "").strip().lower() in _ON_SPANS
