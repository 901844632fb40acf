"""What a tool gave back, within its limit and without what it was sent to identify somebody."""

from __future__ import annotations

from typing import Any

from runtime.apis.connectors.protocol import ToolOutcome
from runtime.providers.connectors.builtin.trial import Trial
from runtime.sse import Json, encode


def outcome_of(result: Any, trial: Trial, *, limit_bytes: int) -> ToolOutcome:
    """result: the SDK's `CallToolResult`. Texts are cut off where the limit is, other parts are left out; the result
    says so.
    """
    given = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    left, is_cut = limit_bytes, False
    content: list[Json] = []
    for part in given.get("content") or ():
        part = _without_secrets(part, trial)
        size = len(encode(part))
        if size <= left:
            content.append(part)
            left -= size
            continue
        is_cut = True
        if part.get("type") == "text" and left > 0:
            content.append({"type": "text", "text": part["text"].encode()[:left].decode(errors="ignore")})
        left = 0
    structured = given.get("structuredContent")
    if structured is not None:
        structured = _without_secrets(structured, trial)
        if len(encode(structured)) > limit_bytes:
            structured, is_cut = None, True
    if is_cut:
        words = f"[Cut off here: the tool gave back more than {limit_bytes} bytes.]"
        content.append({"type": "text", "text": words})
    return ToolOutcome(content=content, structured_content=structured, is_error=bool(given.get("isError")))


def _without_secrets(value: Any, trial: Trial) -> Any:
    """The same JSON, with other texts. A server can repeat what it was sent, and a model would be told."""
    if not trial.secrets:
        return value
    if isinstance(value, str):
        return trial.without_secrets(value)
    if isinstance(value, dict):
        return {name: _without_secrets(member, trial) for name, member in value.items()}
    return [_without_secrets(member, trial) for member in value] if isinstance(value, list) else value
