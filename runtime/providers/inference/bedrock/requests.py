"""A request of OpenAI's as the body of Converse.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html (read November 2026)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.apis.inference.tool_use import named_in
from runtime.context import warn
from runtime.providers.inference._answer_tool import ANSWER_TOOL, answer_tool
from runtime.providers.inference._openai_compatible.outgoing_fields import apply_rules, fit_chat, refusal
from runtime.providers.inference._openai_compatible.rules import (
    NO_FUNCTIONS,
    NO_LOGIT_BIAS,
    NO_LOGPROBS,
    NO_PENALTIES,
    NO_SEED,
    ONE_ANSWER,
    ONE_LIMIT,
    TEXT_ONLY,
    WITHOUT_EFFECT,
    Ignored,
    Rule,
    left_out,
)
from runtime.providers.inference.bedrock.conversation import conversation
from runtime.providers.inference.bedrock.families import Family
from runtime.sse import Json, encode

_RULES: tuple[Rule, ...] = (
    ONE_LIMIT,
    ONE_ANSWER,
    *NO_LOGPROBS,
    *NO_PENALTIES,
    NO_LOGIT_BIAS,
    NO_SEED,
    *TEXT_ONLY,
    *NO_FUNCTIONS,
    Ignored("prediction", "cannot be told what an answer will repeat"),
    Ignored("parallel_tool_calls", "cannot be told how many tools to call at once", unless=(True,)),
    *left_out(*(name for name in WITHOUT_EFFECT if name != "service_tier"), why="it has no such field"),
    *left_out("stream", "stream_options", "model", why="its address says it"),
)
_SAMPLING = {"max_tokens": "maxTokens", "temperature": "temperature", "top_p": "topP"}
_OWN = (
    *("guardrailConfig", "additionalModelResponseFieldPaths", "performanceConfig", "promptVariables"),
    *("requestMetadata", "serviceTier", "outputConfig"),
)
"""Fields of Converse that a request may have as they are."""
_TIERS = ("priority", "default", "flex", "reserved")
_EFFORTS = {"minimal": "low"}


def converse_body(body: Json, family: Family, *, provider_id: str) -> Json:
    """The body of Converse and ConverseStream. body: of OpenAI's request, with its messages decoded; changed. A tool
    `ANSWER_TOOL` in it stands for the form of the answer. Raises RequestError for what cannot be honoured.
    """
    fit_chat(family.chat, body, provider_id=provider_id)
    apply_rules(_RULES, body, provider_id=provider_id)
    made: Json = {name: body.pop(name) for name in _OWN if body.get(name) is not None}
    tools, choice = body.pop("tools", None) or [], body.pop("tool_choice", None)
    wanted = body.pop("response_format", None)
    if tools:
        made["toolConfig"] = _tool_config(tools, choice, family, provider_id)
    if wanted is not None and wanted.get("type") != "text":
        made |= _form(wanted, made, family, provider_id)
    system, made["messages"] = conversation(
        body.pop("messages"), with_tools=bool(tools), takes_system=family.takes_system, provider_id=provider_id
    )
    if system:
        made["system"] = system
    sampling = {theirs: body.pop(ours) for ours, theirs in _SAMPLING.items() if body.get(ours) is not None}
    if stop := body.pop("stop", None):
        sampling["stopSequences"] = [stop] if isinstance(stop, str) else stop
    if sampling:
        made["inferenceConfig"] = sampling
    made |= _tier(body.pop("service_tier", None), provider_id)
    _tell_effort(body, made, family, provider_id)
    given = body.pop("additionalModelRequestFields", None) or {}
    if more := {**{name: value for name, value in body.items() if value is not None}, **given}:
        made["additionalModelRequestFields"] = more
    return made


def _tool_config(tools: Sequence[Json], choice: Any, family: Family, provider_id: str) -> Json:
    made: Json = {"tools": [_tool(tool, family, provider_id) for tool in tools]}
    if isinstance(choice, dict):
        named = named_in(choice)
        if choice["type"] == "allowed_tools":
            made["tools"] = [tool for tool in made["tools"] if tool["toolSpec"]["name"] in named]
            choice = choice["allowed_tools"]["mode"]
        else:
            made["toolChoice"] = {"tool": {"name": named[0]}}
    if choice == "required":
        made["toolChoice"] = {"any": {}}
    elif isinstance(choice, str) and choice != "auto":  # `auto` is the default, and some models refuse its name
        raise refusal("tool_choice", provider_id, f"has no choice `{choice}`")
    return made


def _tool(tool: Json, family: Family, provider_id: str) -> Json:
    if tool["type"] != "function":
        raise refusal("tools", provider_id, f"has no tools of the type `{tool['type']}`")
    function = tool["function"]
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    made: Json = {"name": function["name"], "inputSchema": {"json": {"type": "object", **schema}}}
    if function.get("description"):
        made["description"] = function["description"]
    if function.get("strict"):
        if family.schemas:
            made["strict"] = True
        else:
            warn(f"`tools[].function.strict` has no effect: `{provider_id}` does not hold this model to a schema")
    return {"toolSpec": made}


def _form(wanted: Json, made: Json, family: Family, provider_id: str) -> Json:
    """What makes the answer one of this form: Bedrock's own for a schema, else a tool that has to be called."""
    if wanted["type"] not in ("json_object", "json_schema"):
        raise refusal("response_format", provider_id, f"has no answers of the type `{wanted['type']}`")
    named = wanted.get("json_schema") or {}
    schema = named.get("schema") or {"type": "object"}
    described = {"description": named["description"]} if named.get("description") else {}
    if wanted["type"] == "json_schema" and family.schemas:
        form = {
            "schema": encode(schema).decode(),
            **({"name": named["name"]} if named.get("name") else {}),
            **described,
        }
        text = {"type": "json_schema", "structure": {"jsonSchema": form}}
        return {"outputConfig": {**made.get("outputConfig", {}), "textFormat": text}}
    words = answer_tool(wanted, has_tools="toolConfig" in made, provider_id=provider_id)
    tool = {"name": ANSWER_TOOL, "description": words, "inputSchema": {"json": schema}}
    choice: Json = {"tool": {"name": ANSWER_TOOL}} if "named" in family.choices else {"any": {}}
    return {"toolConfig": {"tools": [{"toolSpec": tool}], "toolChoice": choice}}


def _tier(tier: str | None, provider_id: str) -> Json:
    if tier in (None, "auto"):
        return {}
    if tier not in _TIERS:
        raise refusal("service_tier", provider_id, f"has only the tiers {', '.join(_TIERS)}")
    return {"serviceTier": {"type": tier}}


def _tell_effort(body: Json, made: Json, family: Family, provider_id: str) -> None:
    """How long to think: where a model's own field says it, that is left in `body`."""
    effort = body.pop("reasoning_effort", None)
    if effort in (None, "none"):
        return
    if family.effort == "output":
        made["outputConfig"] = {"effort": _EFFORTS.get(effort, effort), **made.get("outputConfig", {})}
    elif family.effort == "own":
        body["reasoning_effort"] = effort
    else:
        warn(
            f"`reasoning_effort` has no effect: `{provider_id}` is told this model's thinking by a field of the model's"
            " own, such as `thinking`"
        )
