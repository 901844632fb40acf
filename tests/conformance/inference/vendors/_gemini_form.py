"""Gemini's form of chat, for local servers: what it has, and the same in OpenAI's form, in both directions.

Written from https://ai.google.dev/api/generate-content, https://ai.google.dev/api/caching#Content and
https://ai.google.dev/gemini-api/docs/thought-signatures (read November 2026).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runtime.conformance.upstream import Refused
from runtime.conformance.upstream.words import pieces

SIGNATURE = "c2lnbmF0dXJl"
SKIPPED = "skip_thought_signature_validator"

Fields = Mapping[str, Any]
PART: Fields = {
    "text": None, "thought": None, "thoughtSignature": None,
    "inlineData": {"mimeType": None, "data": None},
    "fileData": {"mimeType": None, "fileUri": None},
    "functionCall": {"id": None, "name": None, "args": None},
    "functionResponse": {"id": None, "name": None, "response": None, "parts": None},
}  # fmt: skip
CONTENT: Fields = {"role": None, "parts": [PART]}
GENERATION: Fields = {
    "stopSequences": None, "responseMimeType": None, "responseJsonSchema": None, "responseModalities": None,
    "candidateCount": None, "maxOutputTokens": None, "temperature": None, "topP": None, "topK": None, "seed": None,
    "presencePenalty": None, "frequencyPenalty": None, "responseLogprobs": None, "logprobs": None,
    "thinkingConfig": {"includeThoughts": None, "thinkingBudget": None, "thinkingLevel": None},
    "mediaResolution": None,
}  # fmt: skip
BODY: Fields = {
    "contents": [CONTENT],
    "systemInstruction": CONTENT,
    "tools": [
        {
            "functionDeclarations": [{"name": None, "description": None, "parametersJsonSchema": None}],
            "googleSearch": {}, "codeExecution": {}, "urlContext": {},
        }
    ],
    "toolConfig": {"functionCallingConfig": {"mode": None, "allowedFunctionNames": None}},
    "generationConfig": GENERATION,
    "safetySettings": [{"category": None, "threshold": None}],
    "cachedContent": None,
}  # fmt: skip
"""Every name that a request may have; a value of None is not looked into."""

_NAMES = {
    "temperature": "temperature", "topP": "top_p", "candidateCount": "n", "maxOutputTokens": "max_tokens",
    "stopSequences": "stop", "seed": "seed", "presencePenalty": "presence_penalty", "topK": "top_k",
    "frequencyPenalty": "frequency_penalty", "responseLogprobs": "logprobs", "logprobs": "top_logprobs",
}  # fmt: skip
_MODES = {"NONE": "none", "AUTO": "auto", "ANY": "required", "VALIDATED": "auto"}
_ENDS = {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS"}


def check_form(body: dict[str, Any], *, has_levels: bool) -> None:
    """Raises Refused for what Gemini does not take, in its words."""
    _check_names(body, BODY)
    if not body.get("contents"):
        raise Refused(400, "* GenerateContentRequest.contents: contents is not specified")
    for content in body["contents"]:
        if content.get("role") not in ("user", "model"):
            raise Refused(400, "Please use a valid role: user, model.")
        _check_parts(content, has_levels=has_levels)
    config = body.get("generationConfig") or {}
    if not -(2**31) <= config.get("seed", 0) < 2**31:
        raise Refused(400, f"Invalid value at 'generation_config.seed' (TYPE_INT32), {config['seed']}")
    if config.get("logprobs") and not config.get("responseLogprobs"):
        raise Refused(400, "logprobs is set but response_logprobs is not")
    thinking = config.get("thinkingConfig") or {}
    if ("thinkingLevel" if not has_levels else "thinkingBudget") in thinking:
        raise Refused(400, "Thinking level is not supported for this model.")
    if thinking.get("thinkingLevel") not in (None, "MINIMAL", "LOW", "MEDIUM", "HIGH"):
        raise Refused(400, "Invalid value at 'generation_config.thinking_config.thinking_level'")
    choosing = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    if choosing.get("allowedFunctionNames") and choosing.get("mode") not in ("ANY", "VALIDATED"):
        raise Refused(400, "allowed_function_names should only be set when the mode is ANY or VALIDATED.")


def _check_names(given: Any, known: Any, where: str = "") -> None:
    if isinstance(known, list) and isinstance(given, list):
        for one in given:
            _check_names(one, known[0], where)
    elif isinstance(known, Mapping) and isinstance(given, dict):
        for name, value in given.items():
            if name not in known:
                at = f" at '{where}'" if where else ""
                raise Refused(400, f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.')
            _check_names(value, known[name], f"{where}.{name}" if where else name)


def _check_parts(content: dict[str, Any], *, has_levels: bool) -> None:
    if not content.get("parts"):
        raise Refused(400, "contents.parts must not be empty.")
    calls = [part for part in content["parts"] if "functionCall" in part]
    if has_levels and calls and not calls[0].get("thoughtSignature"):
        name = calls[0]["functionCall"]["name"]
        raise Refused(400, f"Function call `{name}` is missing a thought_signature in functionCall parts.")
    for part in content["parts"]:
        answered = part.get("functionResponse")
        if answered is not None and not isinstance(answered.get("response"), dict):
            raise Refused(400, "Invalid value at 'function_response.response' (type.googleapis.com/Struct)")


def openai_of(body: dict[str, Any], model: str) -> dict[str, Any]:
    """The same request in OpenAI's form, with what is not in it as it is."""
    made: dict[str, Any] = {name: value for name, value in body.items() if name not in BODY}
    made |= {"model": model, "messages": _messages(body)}
    config = body.get("generationConfig") or {}
    made |= {ours: config[theirs] for theirs, ours in _NAMES.items() if theirs in config}
    if modalities := config.get("responseModalities"):
        made["modalities"] = [one.lower() for one in modalities]
    if config.get("responseMimeType") == "application/json":
        schema = config.get("responseJsonSchema")
        named = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
        made["response_format"] = named if schema else {"type": "json_object"}
    if thinking := config.get("thinkingConfig"):
        made["reasoning_effort"] = "high" if thinking.get("includeThoughts") else "none"
    tools = body.get("tools") or []
    functions = [one for tool in tools for one in tool.get("functionDeclarations") or ()]
    if functions:
        made["tools"] = [{"type": "function", "function": _function(one)} for one in functions]
    if any("googleSearch" in tool for tool in tools):
        made["web_search_options"] = {}
    if choosing := (body.get("toolConfig") or {}).get("functionCallingConfig"):
        made["tool_choice"] = _choice(choosing)
    return made


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if system := body.get("systemInstruction"):
        found.append({"role": "system", "content": _content(system["parts"])})
    open_ids: dict[str, list[str]] = {}
    for content in body["contents"]:
        answers = [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]
        calls = [part for part in content["parts"] if "functionCall" in part]
        said = [part for part in content["parts"] if not {"functionResponse", "functionCall"} & part.keys()]
        for answer in answers:
            id = answer.get("id") or open_ids[answer["name"]].pop(0)
            response = answer["response"]
            text = response["output"] if response.keys() == {"output"} else json.dumps(response)
            found.append({"role": "tool", "tool_call_id": id, "content": text})
        if content["role"] == "model":
            message: dict[str, Any] = {"role": "assistant", "content": _content(said) if said else None}
            for place, part in enumerate(calls):
                call, signature = part["functionCall"], part.get("thoughtSignature")
                id = call.get("id") or f"call_{len(found)}_{place}"
                open_ids.setdefault(call["name"], []).append(id)
                function = {"name": call["name"], "arguments": json.dumps(call["args"])}
                made: dict[str, Any] = {"id": id, "type": "function", "function": function}
                if signature not in (None, SKIPPED):
                    made["extra_content"] = {"google": {"thought_signature": signature}}
                message.setdefault("tool_calls", []).append(made)
            found.append(message)
        elif said:
            found.append({"role": "user", "content": _content(said)})
    return found


def _content(parts: list[dict[str, Any]]) -> Any:
    if all("text" in part for part in parts):
        return "".join(part["text"] for part in parts)
    return [_part(part) for part in parts]


def _part(part: dict[str, Any]) -> dict[str, Any]:
    if "text" in part:
        return {"type": "text", "text": part["text"]}
    data, file = part.get("inlineData"), part.get("fileData")
    if data and data["mimeType"].startswith("audio/"):
        sound = {"data": data["data"], "format": data["mimeType"].removeprefix("audio/")}
        return {"type": "input_audio", "input_audio": sound}
    if data and not data["mimeType"].startswith("image/"):
        return {"type": "file", "file": {"file_data": data["data"], "filename": "x"}}
    url = f"data:{data['mimeType']};base64,{data['data']}" if data else (file or {})["fileUri"]
    return {"type": "image_url", "image_url": {"url": url}}


def _function(declared: dict[str, Any]) -> dict[str, Any]:
    made = {"name": declared["name"], "description": declared.get("description")}
    made = {name: value for name, value in made.items() if value is not None}
    return made | ({"parameters": declared["parametersJsonSchema"]} if "parametersJsonSchema" in declared else {})


def _choice(config: dict[str, Any]) -> Any:
    names, mode = config.get("allowedFunctionNames"), _MODES[config["mode"]]
    if not names:
        return mode
    allowed = [{"type": "function", "function": {"name": name}} for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": allowed}}


def gemini_of(answer: dict[str, Any], *, has_ids: bool) -> dict[str, Any]:
    """OpenAI's whole answer in Gemini's form."""
    candidates = []
    for choice in answer["choices"]:
        message = choice["message"]
        parts: list[dict[str, Any]] = []
        if thought := message.get("reasoning_content"):
            parts.append({"text": thought, "thought": True})
        if message.get("content"):
            parts.append({"text": message["content"]})
        for place, call in enumerate(message.get("tool_calls") or ()):
            function = {"name": call["function"]["name"], "args": json.loads(call["function"]["arguments"])}
            part = {"functionCall": function | ({"id": call["id"]} if has_ids else {})}
            parts.append(part | ({"thoughtSignature": SIGNATURE} if place == 0 else {}))
        candidates.append(
            {
                "index": choice["index"],
                "content": {"role": "model", "parts": parts},
                "finishReason": _ENDS[choice["finish_reason"]],
                **_logprobs(choice.get("logprobs")),
            }
        )
    return {"candidates": candidates, "usageMetadata": _usage(answer["usage"]), **_head(answer)}


def events_of(answer: dict[str, Any], *, has_ids: bool) -> list[dict[str, Any]]:
    """The events of the same answer streamed: word by word, each with token counts, calls whole, the reason last."""
    whole = gemini_of(answer, has_ids=has_ids)
    (candidate,) = whole["candidates"]
    logprobs = candidate.get("logprobsResult") or {}
    events: list[dict[str, Any]] = []
    for part in candidate["content"]["parts"]:
        split = [{**part, "text": word} for word in pieces(part["text"])] if "text" in part else [part]
        for place, one in enumerate(split):
            event: dict[str, Any] = {"content": {"role": "model", "parts": [one]}, "index": 0}
            if logprobs and not part.get("thought"):
                event["logprobsResult"] = {name: value[place : place + 1] for name, value in logprobs.items()}
            events.append(event)
    events.append({"content": {"role": "model", "parts": []}, "finishReason": candidate["finishReason"], "index": 0})
    counts = {"promptTokenCount": whole["usageMetadata"]["promptTokenCount"]}
    made = [{"candidates": [event], "usageMetadata": counts, **_head(answer)} for event in events]
    made[-1]["usageMetadata"] = whole["usageMetadata"]
    return made


def _head(answer: dict[str, Any]) -> dict[str, Any]:
    return {"modelVersion": answer["model"], "responseId": "r1"}


def _usage(counts: dict[str, Any]) -> dict[str, Any]:
    thought = (counts.get("completion_tokens_details") or {}).get("reasoning_tokens", 0)
    made = {
        "promptTokenCount": counts["prompt_tokens"],
        "candidatesTokenCount": counts["completion_tokens"] - thought,
        "totalTokenCount": counts["total_tokens"],
    }
    return made | ({"thoughtsTokenCount": thought} if thought else {})


def _logprobs(given: dict[str, Any] | None) -> dict[str, Any]:
    if given is None:
        return {}

    def one(token: dict[str, Any]) -> dict[str, Any]:
        return {"token": token["token"], "tokenId": 1, "logProbability": token["logprob"]}

    chosen = [one(token) for token in given["content"]]
    tops = [{"candidates": [one(likely) for likely in token["top_logprobs"]]} for token in given["content"]]
    return {"logprobsResult": {"chosenCandidates": chosen, "topCandidates": tops}}
