"""Which models and inference profiles there are, and what stands behind each.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html,
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListInferenceProfiles.html (read November 2026)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from runtime.apis.models import ModelType
from runtime.provider import ListedModel
from runtime.providers.inference.bedrock.families import base_of
from runtime.sse import Json

_DIMENSIONS = {
    "amazon.titan-embed-text-v2": 1024,
    "amazon.titan-embed-image": 1024,
    "amazon.titan-embed": 1536,
    "amazon.nova": 3072,
    "cohere.embed-v4": 1536,
    "cohere.embed": 1024,
}
"""Of vectors, by the beginning of a model's id; Bedrock does not say it."""


@dataclass(frozen=True)
class Known:
    """models: as they are listed. bases: the model behind each name. asked_as: the inference profile by which a model
    is asked that can only be asked so.
    """

    models: tuple[ListedModel, ...] = ()
    bases: dict[str, str] = field(default_factory=dict)
    asked_as: dict[str, str] = field(default_factory=dict)

    def base(self, name: str) -> str:
        return self.bases.get(name) or base_of(name)


def known_of(summaries: Sequence[Json], profiles: Sequence[Json]) -> Known:
    """summaries: of ListFoundationModels, profiles: of ListInferenceProfiles. Raises whatever reading one raises that
    makes no sense.
    """
    listed: dict[str, ListedModel] = {}
    bases: dict[str, str] = {}
    asked_as: dict[str, str] = {}
    facts = {summary["modelId"]: summary for summary in summaries if _kind(summary) is not None}
    for summary in facts.values():
        if "ON_DEMAND" in (summary.get("inferenceTypesSupported") or ("ON_DEMAND",)):
            _add(listed, summary["modelId"], summary)
    for profile, base in _behind(profiles):
        if base not in facts:
            continue
        summary = facts[base]
        name = profile["inferenceProfileId"] if profile.get("type") != "APPLICATION" else profile["inferenceProfileArn"]
        bases[name] = base
        _add(listed, name, summary)
        if base not in listed or base in asked_as:
            _add(listed, base, summary)
            asked_as[base] = _nearer(asked_as.get(base), name)
    return Known(tuple(listed.values()), bases, asked_as)


def named_of(names: Sequence[str]) -> Known:
    """Of names alone, where there is no list."""
    listed = [ListedModel(provider_model_id=name, model_type=_kind_by_name(base_of(name))) for name in names]
    return Known(tuple(listed))


def _add(listed: dict[str, ListedModel], name: str, summary: Json) -> None:
    base = summary["modelId"]
    metadata: dict[str, Any] = {"input_modalities": [kind.lower() for kind in summary.get("inputModalities") or ()]}
    kind = _kind(summary)
    dimension = next((size for start, size in _DIMENSIONS.items() if base.startswith(start)), None)
    if kind == "embedding" and dimension is not None:
        metadata["embedding_dimension"] = dimension
    listed[name] = ListedModel(provider_model_id=name, model_type=kind, metadata=metadata)


def _behind(profiles: Sequence[Json]) -> Iterator[tuple[Json, str]]:
    """Each profile with the model behind it; Bedrock's own before those of the account."""
    for profile in sorted(profiles, key=lambda one: one.get("type") == "APPLICATION"):
        arns = [one["modelArn"] for one in profile.get("models") or () if one.get("modelArn")]
        if arns and profile.get("status", "ACTIVE") == "ACTIVE":
            yield profile, arns[0].rpartition("/")[2]


def _nearer(known: str | None, other: str) -> str:
    """Of two profiles, that of the region's own part of the world: what is asked stays there."""
    return other if known is None or (known.startswith("global.") and not other.startswith("arn:")) else known


def _kind(summary: Json) -> ModelType | None:
    """None for a model that makes neither text nor vectors."""
    makes = summary.get("outputModalities") or ("TEXT",)
    if "EMBEDDING" in makes:
        return "embedding"
    return _kind_by_name(summary["modelId"]) if "TEXT" in makes else None


def _kind_by_name(base: str) -> ModelType:
    if "rerank" in base:
        return "rerank"
    return "embedding" if "embed" in base else "llm"
