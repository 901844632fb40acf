"""What the model is told of a call of a server's tool: by the response that makes it, and by those that continue it."""

from __future__ import annotations

from runtime.sse import Json

REFUSED = "The user did not allow this call: "
FAILED = "The call failed: "
TOOL_FAILED = "The tool failed: "
_BROKEN_OFF = f"{FAILED}it was broken off, and what it did is not known"

MOST_CHARACTERS = 100_000
"""Of what a tool gave back, for the model and in the item."""


def bounded(text: str) -> str:
    """What a tool gave back, as far as it is shown."""
    if len(text) <= MOST_CHARACTERS:
        return text
    return f"{text[:MOST_CHARACTERS]}\n[cut here: {len(text)} characters, of which {MOST_CHARACTERS} are shown]"


def outcome_of(item: Json) -> str:
    """item: a call that has `output` and `error`, such as `mcp_call`, or the answer that refuses one."""
    if item["type"] == "mcp_approval_response":
        return REFUSED + (item.get("reason") or "no reason is given")
    error = item.get("error")
    if not error:
        output = item.get("output")
        return _BROKEN_OFF if output is None else output
    if isinstance(error, str):
        return f"{FAILED}{error}"
    if isinstance(content := error.get("content"), list):
        texts = [str(part.get("text") or "") for part in content if isinstance(part, dict)]
        return f"{TOOL_FAILED}{''.join(texts)}"
    return f"{FAILED}{error.get('message') or error.get('content') or 'without a reason'}"
