"""How an answer is chosen, how long a model thinks and what form its answer has: Gemini's `generationConfig`.

https://ai.google.dev/api/generate-content#generationconfig (read November 2026)
"""

from __future__ import annotations

from runtime.context import warn
from runtime.providers.inference._gemini.generations import thinks_by_levels
from runtime.providers.inference._openai_compatible.outgoing_fields import refusal
from runtime.sse import Json

_NAMES = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "n": "candidateCount",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
_SEEDS = 2**31
"""Its seeds are whole numbers of 32 bits with a sign."""
_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576}
"""Tokens of thinking of the generation 2.5, as at Google's endpoint for OpenAI's clients.
https://ai.google.dev/gemini-api/docs/openai#thinking
"""
_LEVELS = {"none": "MINIMAL", "minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH"}
_JSON = "application/json"


def fit_generation(body: Json, model: str, provider_id: str) -> Json:
    """`generationConfig`, of the fields that are taken from `body`. Raises RequestError for what Gemini has not."""
    made: Json = {theirs: body.pop(ours) for ours, theirs in _NAMES.items() if body.get(ours) is not None}
    limit, newer = body.pop("max_tokens", None), body.pop("max_completion_tokens", None)
    if (most := limit if newer is None else newer) is not None:
        made["maxOutputTokens"] = most
    if stop := body.pop("stop", None):
        made["stopSequences"] = [stop] if isinstance(stop, str) else stop
    if (seed := body.pop("seed", None)) is not None:
        made["seed"] = seed % _SEEDS
    wanted, top = body.pop("logprobs", None), body.pop("top_logprobs", None)
    if wanted:
        made |= {"responseLogprobs": True, **({"logprobs": top} if top else {})}
    elif top:
        raise refusal("top_logprobs", provider_id, "gives them only with `logprobs`")
    if modalities := body.pop("modalities", None):
        made["responseModalities"] = [_modality(one, provider_id) for one in modalities]
    made |= _form(body.pop("response_format", None), provider_id)
    if thinking := _thinking(body.pop("reasoning_effort", None), model, provider_id):
        made["thinkingConfig"] = thinking
    return made


def _modality(named: str, provider_id: str) -> str:
    if named not in ("text", "image"):
        raise refusal("modalities", provider_id, "answers with `text`, and some of its models with `image`")
    return named.upper()


def _form(wanted: Json | None, provider_id: str) -> Json:
    if wanted is None or wanted["type"] == "text":
        return {}
    if wanted["type"] not in ("json_object", "json_schema"):
        raise refusal("response_format", provider_id, "has no such form of an answer")
    schema = wanted.get("json_schema", wanted).get("schema")  # beside `json_object` it is llama.cpp's own
    return {"responseMimeType": _JSON, **({"responseJsonSchema": schema} if schema else {})}


def _thinking(effort: str | None, model: str, provider_id: str) -> Json | None:
    """With what it thought in the answer, unless it is not to think."""
    if effort is None:
        return None
    if effort not in _LEVELS:
        known = ", ".join(f"`{one}`" for one in _LEVELS)
        raise refusal("reasoning_effort", provider_id, f"has only {known}")
    shown = {"includeThoughts": True} if effort != "none" else {}
    if not thinks_by_levels(model):
        return {"thinkingBudget": _BUDGETS[effort], **shown}
    if effort == "none":
        warn(f"`reasoning_effort` was raised to `minimal`: `{provider_id}` has models that always think")
    return {"thinkingLevel": _LEVELS[effort], **shown}
