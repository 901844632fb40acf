"""OCI's own form of requests for vectors and rankings, and its list of models. Pure: knows JSON, and no server.

https://docs.oracle.com/en-us/iaas/api/#/en/generative-ai-inference/20231130/EmbedTextResult/EmbedText,
.../RerankTextResult/RerankText and .../generative-ai/20231130/ModelCollection/ListModels (read November 2026)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from runtime.apis.models import ModelType
from runtime.clock import utc_now
from runtime.provider import ListedModel
from runtime.providers.inference._openai_compatible.model_list import Kind, ListEntry
from runtime.providers.inference._openai_compatible.outgoing_fields import refusal
from runtime.providers.inference._vectors import listed
from runtime.sse import Json, Reply

_KINDS: dict[str, Kind] = {"CHAT": "llm", "TEXT_EMBEDDINGS": "embedding", "TEXT_RERANK": "rerank"}
"""Its capabilities that are asked for here."""
_SEES = "IMAGE_TEXT_TO_TEXT"
_TO_BE_TUNED = "FINE_TUNE"
"""Of models that are there to be tuned, and not asked."""
_PURPOSES = {
    "QUERY": "SEARCH_QUERY",
    "PASSAGE": "SEARCH_DOCUMENT",
    "DOCUMENT": "SEARCH_DOCUMENT",
    "CLASSIFICATION": "CLASSIFICATION",
    "CLUSTERING": "CLUSTERING",
    "IMAGE": "IMAGE",
}
"""What a text is for, in other vendors' words, and in its own (Cohere's in capitals)."""
_ENDPOINT = "ocid1.generativeaiendpoint."
_BY_NAME: tuple[tuple[str, ModelType], ...] = (("embed", "embedding"), ("rerank", "rerank"))


def own_form(body: Json, compartment: str, *, provider_id: str) -> Json:
    """How a model is named: one that all share, or an endpoint of a cluster of one's own; and what a text is for.
    Raises RequestError for a purpose that it does not know.
    """
    made = {name: value for name, value in body.items() if name != "model"}
    model = body["model"]
    shared = {"servingType": "ON_DEMAND", "modelId": model}
    made["servingMode"] = {"servingType": "DEDICATED", "endpointId": model} if model.startswith(_ENDPOINT) else shared
    made["compartmentId"] = compartment
    if (given := made.get("inputType")) is not None:
        word = str(given).upper()
        made["inputType"] = _PURPOSES.get(word, word)
        if made["inputType"] not in _PURPOSES.values():
            known = ", ".join(f"`{purpose.lower()}`" for purpose in dict.fromkeys(_PURPOSES.values()))
            raise refusal("input_type", provider_id, f"knows {known}, `query` and `passage`")
    return made


def vectors(model: str, answers: Sequence[Json]) -> Reply:
    """The embeddings of several answers, in their order."""
    found = [vector for answer in answers for vector in answer.get("embeddings") or ()]
    return listed(model, found, [_read(answer) for answer in answers])


def _read(answer: Json) -> int | None:
    """The tokens of its texts; None where it does not count them."""
    usage = answer.get("usage")
    found = usage.get("promptTokens", usage.get("totalTokens")) if isinstance(usage, dict) else None
    return found if type(found) is int else None


def models_in(answer: Any) -> list[ListEntry] | None:
    """The models that can be asked by their names; None where there is no list. One of several of a name."""
    items = answer.get("items") if isinstance(answer, dict) else None
    if not isinstance(items, list):
        return None
    found: dict[str, ListEntry] = {}
    for item in items:
        if not isinstance(item, dict):
            continue
        can = item.get("capabilities") or ()
        kind = next((kind for word, kind in _KINDS.items() if word in can), None)
        name = str(item.get("displayName") or "")
        is_shared = item.get("type", "BASE") == "BASE" and _TO_BE_TUNED not in can
        if kind is not None and is_shared and not _is_past(item.get("timeOnDemandRetired")):
            facts = {"input_modalities": ["text", "image"]} if _SEES in can else {}
            found.setdefault(name, ListEntry(name, kind, facts))
    return [*found.values()]


def named(name: str) -> ListedModel:
    """A model of which only the name is known."""
    found = [kind for part, kind in _BY_NAME if part in name.lower()]
    return ListedModel(provider_model_id=name, model_type=found[0] if found else "llm")


def _is_past(date: Any) -> bool:
    try:
        moment = datetime.fromisoformat(str(date))
    except ValueError:
        return False
    return moment.tzinfo is not None and moment <= utc_now()
