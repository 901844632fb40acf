"""Makes table entries from the models that a provider lists. Invalid models are left out with a note on that provider,
and never affect others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from runtime import catalog
from runtime.apis.models import MODEL_TYPES
from runtime.catalog.capabilities import capabilities_of
from runtime.provider import ListedModel
from runtime.routing.entry import Entry
from runtime.similar import LONGEST_NAME
from runtime.sse import encode

MAX_MODELS = 10_000
"""The most models of one provider; the largest vendors list a few thousand."""


class Usable(NamedTuple):
    """entries: the models that can be served. note: what was left out, as a text; empty if nothing was."""

    entries: list[Entry]
    note: str


def usable(provider_id: str, listed: Iterable[ListedModel], *, vendor: str = "") -> Usable:
    """The usable models of a list, each once. vendor: whose names these are, for what the catalogue knows of them.
    Raises TypeError for what is not a list of models.
    """
    entries: dict[str, Entry] = {}
    left_out: Counter[str] = Counter()
    rest = ""
    for model in listed:
        if not isinstance(model, ListedModel):
            raise TypeError(f"{type(model).__name__} in a list of models")
        name = model.provider_model_id
        if (fault := _fault(name, provider_id)) is not None:
            left_out[fault] += 1
        elif name in entries:
            continue
        elif len(entries) == MAX_MODELS:
            rest = f"all beyond the first {MAX_MODELS}"
            break
        else:
            entries[name] = _entry(provider_id, model, vendor)
    counted = ", ".join([*(f"{count} {fault}" for fault, count in left_out.items()), *([rest] if rest else [])])
    return Usable(list(entries.values()), f"models left out: {counted}" if counted else "")


def _fault(name: object, provider_id: str) -> str | None:
    if not isinstance(name, str) or not name.strip():
        return "without a name"
    if len(provider_id) + 1 + len(name) > LONGEST_NAME:
        return f"with more than {LONGEST_NAME} characters"
    return None if name.isprintable() else "with characters that cannot be printed"


def _entry(provider_id: str, model: ListedModel, vendor: str) -> Entry:
    known = catalog.meant_at(vendor, model.provider_model_id)
    can = capabilities_of(vendor, model.provider_model_id)
    metadata = {**(_facts_of(known) if known else {}), **can.facts, **model.metadata}
    kind = model.model_type or can.model_type
    if metadata:
        encode(metadata)  # raises TypeError now; otherwise the list of all models could not be sent
    return Entry(
        id=f"{provider_id}/{model.provider_model_id}",
        provider_id=provider_id,
        provider_resource_id=model.provider_model_id,
        known_as=known.model_id if known and known.model_id != model.provider_model_id else "",
        kind=kind if kind in MODEL_TYPES else "",
        metadata=metadata,
    )


def _facts_of(model: catalog.CatalogModel) -> dict[str, object]:
    """What the catalogue knows of a model, for a provider that says nothing of it."""
    takes, _, gives = model.modalities.partition("->")
    facts: dict[str, object] = {"canonical_model_id": model.model_id}
    if model.context_length is not None:
        facts["context_length"] = model.context_length
    if takes and gives:
        facts |= {"input_modalities": takes.split("+"), "output_modalities": gives.split("+")}
    return facts
