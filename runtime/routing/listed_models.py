"""Makes table entries from the models that a provider lists. Invalid models are left out with a note on that provider,
and never affect others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from runtime.apis.models import MODEL_TYPES
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


def usable(provider_id: str, listed: Iterable[ListedModel]) -> Usable:
    """The usable models of a list, each once. Raises TypeError for what is not a list of models."""
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
            entries[name] = _entry(provider_id, model)
    counted = ", ".join([*(f"{count} {fault}" for fault, count in left_out.items()), *([rest] if rest else [])])
    return Usable(list(entries.values()), f"models left out: {counted}" if counted else "")


def _fault(name: object, provider_id: str) -> str | None:
    if not isinstance(name, str) or not name.strip():
        return "without a name"
    if len(provider_id) + 1 + len(name) > LONGEST_NAME:
        return f"with more than {LONGEST_NAME} characters"
    return None if name.isprintable() else "with characters that cannot be printed"


def _entry(provider_id: str, model: ListedModel) -> Entry:
    metadata = dict(model.metadata)
    if metadata:
        encode(metadata)  # raises TypeError now; otherwise the list of all models could not be sent
    return Entry(
        id=f"{provider_id}/{model.provider_model_id}",
        provider_id=provider_id,
        provider_resource_id=model.provider_model_id,
        kind=model.model_type if model.model_type in MODEL_TYPES else "",
        metadata=metadata,
    )
