"""watsonx.ai's names for what OpenAI calls otherwise. Pure: knows JSON, and no server.

https://cloud.ibm.com/apidocs/watsonx-ai#text-chat, #text-embeddings, #text-rerank and #list-foundation-model-specs
(read November 2026)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.apis.inference.tool_use import name_of, named_in
from runtime.clock import utc_now
from runtime.providers.inference._openai_compatible.model_list import Kind, ListEntry
from runtime.providers.inference._openai_compatible.outgoing_fields import refusal
from runtime.providers.inference._vectors import listed
from runtime.sse import Frames, Json, Reply

_KINDS: dict[str, Kind] = {"text_chat": "llm", "embedding": "embedding", "rerank": "rerank"}
"""Its functions that are asked for here; a model with none of them is left out."""
_LIMITS = {
    "max_sequence_length": "context_length",
    "max_output_tokens": "max_output_tokens",
    "embedding_dimension": "embedding_dimension",
}


def choose_tools(body: Json, *, provider_id: str) -> None:
    """A choice in words is its `tool_choice_option`; `tool_choice` is for one function. Raises RequestError."""
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") != "function":
        named = named_in(choice)
        shown = [tool for tool in body.get("tools") or () if name_of(tool) in named]
        if choice.get("type") != "allowed_tools" or not shown:
            raise refusal("tool_choice", provider_id, "can choose only among functions")
        body["tools"], choice = shown, choice["allowed_tools"]["mode"]
    if isinstance(choice, str):
        del body["tool_choice"]
        body["tool_choice_option"] = choice


def ask_for_ranking(body: Json) -> None:
    """Documents are objects, and settings are below `parameters`."""
    body["inputs"] = [{"text": text} for text in body["inputs"]]
    parameters = dict(body.pop("parameters", None) or {})
    if (top_n := body.pop("top_n", None)) is not None:
        parameters["return_options"] = {**(parameters.get("return_options") or {}), "top_n": top_n}
    if (most := body.pop("max_tokens_per_doc", None)) is not None:
        parameters["truncate_input_tokens"] = most
    if parameters:
        body["parameters"] = parameters


def whole(reply: Reply) -> Reply:
    """A chat completion with OpenAI's `object` and `model`."""
    return Reply.of({"object": "chat.completion", **_named(reply.value())})


def events(frames: Frames) -> Frames:
    """The same for those of a stream, without the number and the kind that each event has here."""
    found = frames.events()
    return Frames.of(*({"object": "chat.completion.chunk", **_named(event)} for event in found)) if found else frames


def _named(answer: Json) -> Json:
    """Older clusters have no `model`."""
    return answer if answer.get("model") or "model_id" not in answer else {**answer, "model": answer["model_id"]}


def vectors(model: str, answers: Sequence[Json]) -> Reply:
    """The embeddings of several answers, in their order."""
    found = [result.get("embedding") for answer in answers for result in answer["results"]]
    counts = [answer.get("input_token_count") for answer in answers]
    return listed(model, found, [count if isinstance(count, int) else None for count in counts])


def models_in(answer: Any) -> list[ListEntry] | None:
    """The models that chat, embed or rank, and can still be asked; None where there is no list."""
    specs = answer.get("resources") if isinstance(answer, dict) else None
    if not isinstance(specs, list):
        return None
    found = []
    for spec in specs:
        if not isinstance(spec, dict):
            continue
        functions = {one.get("id") for one in spec.get("functions") or () if isinstance(one, dict)}
        kind = next((kind for function, kind in _KINDS.items() if function in functions), None)
        if kind is not None and not _is_withdrawn(spec):
            found.append(ListEntry(str(spec.get("model_id") or ""), kind, _facts(spec, functions)))
    return found


def _is_withdrawn(spec: Json) -> bool:
    """Whether it is no longer served: its stages are listed long before they begin."""
    today = utc_now().date().isoformat()
    stages = [one for one in spec.get("lifecycle") or () if isinstance(one, dict) and one.get("id") == "withdrawn"]
    return any(str(stage.get("start_date") or "") <= today for stage in stages)


def _facts(spec: Json, functions: set[Any]) -> dict[str, Any]:
    limits = spec.get("model_limits")
    facts: dict[str, Any] = {
        ours: limit
        for theirs, ours in _LIMITS.items()
        if isinstance(limits, dict) and type(limit := limits.get(theirs)) is int and limit > 0
    }
    if "image_chat" in functions:
        facts["input_modalities"] = ["text", "image"]
    return facts
