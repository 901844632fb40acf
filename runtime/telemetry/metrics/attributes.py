"""What metrics are split by beside `runtime.telemetry.conventions`, and what some spans say that others do not."""

from __future__ import annotations

ERROR_TYPE, TOKEN_TYPE = "error.type", "gen_ai.token.type"
TOOL_NAME, DATA_SOURCE_ID = "gen_ai.tool.name", "gen_ai.data_source.id"
EXECUTE_TOOL = "execute_tool"
CONVERSATION_ID = "gen_ai.conversation.id"
RESOURCE_ID = "llama_stack.resource.id"
SEARCH_MODE, FOUND, CHUNKS = "llama_stack.retrieval.mode", "llama_stack.found", "llama_stack.chunks"
BACKGROUND, PREVIOUS_RESPONSE = "llama_stack.response.background", "llama_stack.response.previous_id"

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


def text(value: object) -> str:
    """What a span says, where it is a text; spans say what they like."""
    return value if isinstance(value, str) else ""


def number(value: object) -> int:
    return value if isinstance(value, int) else 0
