"""A tool that stands for the form of an answer, at a vendor that cannot be told the form: it has to be called, and what
it is called with is the answer.
"""

from __future__ import annotations

from runtime.context import warn
from runtime.providers.inference._openai_compatible.outgoing_fields import refusal
from runtime.sse import Json

ANSWER_TOOL = "json_answer"
"""The tool's name."""


def answer_tool(wanted: Json, *, has_tools: bool, provider_id: str) -> str:
    """What the tool is described as. wanted: a request's `response_format`. Raises RequestError beside other tools,
    which might be called in its place.
    """
    if has_tools:
        raise refusal(
            "response_format", provider_id, "can have tools or a form of the answer with this model, not both"
        )
    warn(f"`response_format` was sent as a tool that has to be called: `{provider_id}` has no form of an answer for it")
    return (wanted.get("json_schema") or {}).get("description") or "The answer."
