"""The form of an answer: a JSON Schema that Anthropic holds it to, or a tool that has to be called.

https://platform.claude.com/docs/en/build-with-claude/structured-outputs (read November 2026)
"""

from __future__ import annotations

from runtime.context import warn
from runtime.providers.inference._answer_tool import ANSWER_TOOL, answer_tool
from runtime.providers.inference._messages.models import Model
from runtime.providers.inference._messages.schemas import Open, held
from runtime.providers.inference._openai_compatible.outgoing_fields import refusal
from runtime.sse import Json

_ANY: Json = {"type": "object"}


def fit_form(wanted: Json | None, made: Json, model: Model, provider_id: str) -> bool:
    """Add the form to the request that is `made`, and tell whether a tool stands for it. wanted: `response_format`.
    Raises RequestError for a form that the model cannot be held to.
    """
    if wanted is None or wanted["type"] == "text":
        return False
    if wanted["type"] not in ("json_object", "json_schema"):
        raise refusal("response_format", provider_id, f"has no answers of the type `{wanted['type']}`")
    schema = wanted.get("json_schema", wanted).get("schema") or _ANY  # beside `json_object` it is llama.cpp's own
    if model.schemas:
        try:
            form, told = held(schema)
        except Open:
            pass
        else:
            if told:
                words = ", ".join(f"`{name}`" for name in sorted(told))
                warn(f"`response_format` is not held to {words}: `{provider_id}` tells the model of them in words")
            made["output_config"] = {"format": {"type": "json_schema", "schema": form}}
            return False
    if not model.forced:
        why = "holds this model only to a schema whose objects name all their properties"
        raise refusal("response_format", provider_id, why)
    if schema.get("type", "object") != "object":
        raise refusal("response_format", provider_id, "takes no schema here but that of an object")
    words = answer_tool(wanted, has_tools="tools" in made, provider_id=provider_id)
    made["tools"] = [{"name": ANSWER_TOOL, "description": words, "input_schema": {"type": "object", **schema}}]
    made["tool_choice"] = {"type": "tool", "name": ANSWER_TOOL, "disable_parallel_tool_use": True}
    return True
