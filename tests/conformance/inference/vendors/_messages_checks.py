"""What Anthropic refuses of a request of Messages, in its words, for local servers.

Written from https://platform.claude.com/docs/en/api/messages/create, /en/api/errors,
/en/build-with-claude/thinking-troubleshooting, /en/build-with-claude/thinking,
/en/build-with-claude/thinking-tool-workflows, /en/build-with-claude/effort and
/en/build-with-claude/structured-outputs (read November 2026).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from runtime.conformance.upstream import Refused

Fields = Mapping[str, Any]
CACHED = {"type": None, "ttl": None}
IMAGE: Fields = {"type": None, "source": {"type": None, "media_type": None, "data": None, "url": None, "file_id": None},
                 "cache_control": CACHED}  # fmt: skip
DOCUMENT: Fields = {**IMAGE, "title": None, "context": None, "citations": None}
TEXT: Fields = {"type": None, "text": None, "cache_control": CACHED, "citations": None}
BLOCKS: Mapping[str, Fields] = {
    "text": TEXT,
    "image": IMAGE,
    "document": DOCUMENT,
    "thinking": {"type": None, "thinking": None, "signature": None},
    "redacted_thinking": {"type": None, "data": None},
    "tool_use": {"type": None, "id": None, "name": None, "input": None, "cache_control": CACHED},
    "tool_result": {"type": None, "tool_use_id": None, "content": None, "is_error": None, "cache_control": CACHED},
    "server_tool_use": {"type": None, "id": None, "name": None, "input": None},
    "web_search_tool_result": {"type": None, "tool_use_id": None, "content": None},
}
BODY: Fields = {
    "model": None, "max_tokens": None, "messages": [{"role": None, "content": None}], "system": [TEXT],
    "cache_control": CACHED, "container": None, "inference_geo": None, "metadata": {"user_id": None},
    "output_config": {"effort": None, "format": {"type": None, "schema": None}}, "service_tier": None,
    "stop_sequences": None, "stream": None, "temperature": None, "top_p": None, "top_k": None,
    "thinking": {"type": None, "budget_tokens": None, "display": None},
    "tool_choice": {"type": None, "name": None, "disable_parallel_tool_use": None}, "tools": None,
}  # fmt: skip
TOOL: Fields = {"type": None, "name": None, "description": None, "input_schema": None, "strict": None,
                "cache_control": CACHED}  # fmt: skip
THINKS: Mapping[str, tuple[str, ...]] = {
    "claude-fable-5-1": ("adaptive",), "claude-fable-5": ("adaptive",), "claude-opus-5-5": ("adaptive",),
    "claude-mythos-preview": ("adaptive", "enabled"), "claude-opus-5": ("adaptive", "disabled"),
    "claude-opus-4-8": ("adaptive", "disabled"), "claude-opus-4-7": ("adaptive", "disabled"),
    "claude-sonnet-5-5": ("adaptive", "between_tools"), "claude-sonnet-5": ("adaptive", "disabled"),
    "claude-haiku-5-5": ("adaptive", "disabled"), "claude-opus-4-6": ("adaptive", "enabled", "disabled"),
    "claude-sonnet-4-6": ("adaptive", "enabled", "disabled"), "claude-opus-4-5": ("enabled", "disabled"),
    "claude-haiku-4-5": ("enabled", "disabled"), "claude-sonnet-4-5": ("enabled", "disabled"),
}  # fmt: skip
"""Each model and the kinds of thinking that it does not answer 400 to."""
NOT_FORCED = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1")
NOT_SAMPLED = (*(name for name, kinds in THINKS.items() if "enabled" not in kinds), "claude-mythos-preview")
EFFORTS = ("low", "medium", "high", "xhigh", "max")
NO_EFFORT = {"claude-haiku-4-5": EFFORTS, "claude-sonnet-4-5": EFFORTS, "claude-opus-4-5": ("xhigh", "max"),
             "claude-opus-4-6": ("xhigh",), "claude-sonnet-4-6": ("xhigh",)}  # fmt: skip
LATE_SYSTEM = ("claude-opus-4-8", "claude-opus-5", "claude-fable-5", "claude-fable-5-1", "claude-opus-5-5",
               "claude-sonnet-5-5", "claude-haiku-5-5")  # fmt: skip
FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")
NOT_HELD = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
            "maxItems", "uniqueItems", "oneOf", "prefixItems", "not", "if")  # fmt: skip
_ID, _NAME = re.compile(r"[a-zA-Z0-9_-]+"), re.compile(r"[a-zA-Z0-9_-]{1,128}")
_OWN_TOOL = re.compile(r"[a-z_]+_20\d{6}")


def check_form(body: dict[str, Any], *, is_counted: bool = False) -> None:
    """Raises Refused for what Anthropic does not take. is_counted: whether its tokens are only counted."""
    _names(body, BODY)
    most = body.get("max_tokens")
    if is_counted:
        _none_of(body, ("max_tokens", "stream", "temperature", "top_p", "stop_sequences", "metadata", "service_tier"))
    elif not isinstance(most, int):
        raise Refused(400, "max_tokens: Field required")
    if not body.get("messages"):
        raise Refused(400, "messages: at least one message is required")
    _texts(body.get("system") or (), "system")
    for place, message in enumerate(body["messages"]):
        _message(message, f"messages.{place}", body["model"], is_first=place == 0)
    if not 0 <= body.get("temperature", 1) <= 1:
        raise Refused(400, "temperature: range: 0..1")
    if any(not one.strip() for one in body.get("stop_sequences") or ()):
        raise Refused(400, "stop_sequences: each stop sequence must contain non-whitespace")
    _tools(body)
    _thinking(body, most)
    _sampling(body)
    config = body.get("output_config") or {}
    effort = config.get("effort")
    if effort is not None and (effort not in EFFORTS or effort in NO_EFFORT.get(body["model"], ())):
        raise Refused(400, f"output_config.effort: '{effort}' is not supported for this model")
    if (form := config.get("format")) is not None:
        if form["type"] != "json_schema":
            raise Refused(400, "output_config.format.type: Input should be 'json_schema'")
        check_schema(form["schema"], "output_config.format.schema")


def check_schema(schema: Any, where: str) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations"""
    if not isinstance(schema, dict):
        raise Refused(400, f"{where}: a schema has to be an object")
    if not {"type", "enum", "const", "anyOf", "allOf", "$ref"} & schema.keys():
        raise Refused(400, f"{where}: Schema must have a 'type', 'anyOf', 'allOf', 'enum' or 'const'")
    if wrong := [name for name in NOT_HELD if name in schema]:
        raise Refused(400, f"{where}: property '{wrong[0]}' is not supported")
    if schema.get("minItems", 0) not in (0, 1) or schema.get("format", FORMATS[0]) not in FORMATS:
        raise Refused(400, f"{where}: this value of 'minItems' or 'format' is not supported")
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        raise Refused(400, f"{where}: For 'object' type, 'additionalProperties' must be explicitly set to false")
    for inner in _schemas(schema):
        check_schema(inner, where)


def _schemas(schema: dict[str, Any]) -> Iterator[Any]:
    for name in ("properties", "$defs", "definitions"):
        yield from (schema.get(name) or {}).values()
    for name in ("anyOf", "allOf"):
        yield from schema.get(name) or ()
    if "items" in schema:
        yield schema["items"]


def _names(given: Any, known: Any, where: str = "") -> None:
    if isinstance(known, list) and isinstance(given, list):
        for place, one in enumerate(given):
            _names(one, known[0], f"{where}.{place}")
    elif isinstance(known, Mapping) and isinstance(given, dict):
        for name, value in given.items():
            at = f"{where}.{name}" if where else name
            if name not in known:
                raise Refused(400, f"{at}: Extra inputs are not permitted")
            _names(value, known[name], at)


def _none_of(body: dict[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        if name in body:
            raise Refused(400, f"{name}: Extra inputs are not permitted")


def _message(message: dict[str, Any], where: str, model: str, *, is_first: bool) -> None:
    role, content = message["role"], message["content"]
    if role not in ("user", "assistant") and not (role == "system" and model in LATE_SYSTEM and not is_first):
        raise Refused(400, f"{where}.role: role '{role}' is not supported on this model")
    if not content:
        raise Refused(400, f"{where}: all messages must have non-empty content")
    kinds = [block["type"] for block in content]
    for place, block in enumerate(content):
        _block(block, f"{where}.content.{place}")
    if "tool_result" in kinds[1:] and kinds[kinds[1:].index("tool_result")] != "tool_result":
        raise Refused(400, f"{where}: tool_result blocks have to come first")


def _block(block: dict[str, Any], where: str) -> None:
    kind = block["type"]
    if kind not in BLOCKS:
        raise Refused(400, f"{where}: Input tag '{kind}' found using 'type' does not match any of the expected tags")
    _names(block, BLOCKS[kind], where)
    if kind == "text":
        _texts([block], where)
    for name in ("id", "tool_use_id"):
        if name in block and not _ID.fullmatch(block[name]):
            raise Refused(400, f"{where}.{name}: String should match pattern '^[a-zA-Z0-9_-]+$'")
    if kind == "tool_use" and not isinstance(block["input"], dict):
        raise Refused(400, f"{where}.input: Input should be an object")
    if kind == "thinking" and not block.get("signature"):
        raise Refused(400, f"{where}.signature: Field required")
    if kind == "tool_result":
        for inner in block.get("content") or ():
            _block(inner, f"{where}.content")
    source = block.get("source") or {}
    images = ("image/png", "image/jpeg", "image/gif", "image/webp")
    if kind == "image" and source["type"] == "base64" and source["media_type"] not in images:
        raise Refused(400, f"{where}.source.base64.media_type: Input should be one of {images}")
    if kind == "document" and source["type"] == "base64" and source["media_type"] != "application/pdf":
        raise Refused(400, f"{where}.source.base64.media_type: Input should be 'application/pdf'")


def _texts(blocks: Any, where: str) -> None:
    for block in blocks:
        if not block["text"]:
            raise Refused(400, f"{where}: text content blocks must be non-empty")
        if not block["text"].strip():
            raise Refused(400, f"{where}: text content blocks must contain non-whitespace text")


def _tools(body: dict[str, Any]) -> None:
    tools, choice = body.get("tools"), body.get("tool_choice") or {}
    if choice and not tools:
        raise Refused(400, "tool_choice: may only be specified while providing tools")
    for place, tool in enumerate(tools or ()):
        if tool.get("type", "custom") != "custom":
            if not _OWN_TOOL.fullmatch(tool["type"]):
                raise Refused(400, f"tools.{place}: Input tag '{tool['type']}' does not match any of the expected tags")
            continue
        _names(tool, TOOL, f"tools.{place}")
        if not _NAME.fullmatch(tool["name"]):
            raise Refused(400, f"tools.{place}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        if tool["input_schema"].get("type") != "object":
            raise Refused(400, f"tools.{place}.custom.input_schema.type: Input should be 'object'")
        if tool.get("strict"):
            check_schema(tool["input_schema"], f"tools.{place}.custom.input_schema")
    kind = choice.get("type")
    if kind not in (None, "auto", "any", "tool", "none"):
        raise Refused(400, f"tool_choice: Input tag '{kind}' found using 'type' does not match")
    if kind == "none" and "disable_parallel_tool_use" in choice:
        raise Refused(400, "tool_choice.none.disable_parallel_tool_use: Extra inputs are not permitted")
    if kind == "tool" and choice["name"] not in [tool.get("name") for tool in tools or ()]:
        raise Refused(400, f"Tool '{choice['name']}' not found in provided tools")
    if kind in ("any", "tool") and body["model"] in NOT_FORCED:
        raise Refused(400, 'tool_choice: type "tool" and "any" are not supported for this model.')


def _thinking(body: dict[str, Any], most: int | None) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    kind = thinking["type"]
    if kind not in THINKS.get(body["model"], ("adaptive", "enabled", "disabled")):
        raise Refused(400, f'"thinking.type.{kind}" is not supported for this model.')
    if kind == "enabled":
        budget = thinking["budget_tokens"]
        if budget < 1024 or (most is not None and budget >= most):
            raise Refused(400, "thinking.enabled.budget_tokens: at least 1024, and less than max_tokens")
    elif "budget_tokens" in thinking or (kind not in ("adaptive",) and "display" in thinking):
        raise Refused(400, f"thinking.{kind}: Extra inputs are not permitted")
    if kind in ("enabled", "adaptive") and (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
        raise Refused(400, "Thinking may not be enabled when tool_choice forces tool use.")
    if kind in ("enabled", "adaptive") and ("temperature" in body or "top_k" in body or body.get("top_p", 1) < 0.95):
        raise Refused(400, "`temperature` may only be set to 1 when thinking is enabled.")


def _sampling(body: dict[str, Any]) -> None:
    given = [name for name in ("temperature", "top_p", "top_k") if name in body]
    if given and body["model"] in NOT_SAMPLED:
        raise Refused(400, f"`{given[0]}` is deprecated for this model.")
    if body["model"] in THINKS and {"temperature", "top_p"} <= {*given}:
        raise Refused(400, "`temperature` and `top_p` cannot both be specified for this model. Please use only one.")
