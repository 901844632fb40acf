"""What a provider says it serves, made fit for the table: whatever an upstream sends, it costs that provider a note and
nobody else anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from runtime.apis.models import MODEL_TYPES
from runtime.errors import LONGEST_NAME
from runtime.provider import ListedModel
from runtime.routing.entry import Entry
from runtime.sse import encode

MOST = 10_000
"""Models of one provider that are served; the largest vendors list a few thousand."""


class Usable(NamedTuple):
    """entries: what can be served. note: what was left out, for people; empty where nothing was."""

    entries: list[Entry]
    note: str


def usable(provider_id: str, listed: Iterable[ListedModel]) -> Usable:
    """The models of a list that can be asked for, each once. Raises TypeError for what is no list of models."""
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
        elif len(entries) == MOST:
            rest = f"all beyond the first {MOST}"
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
        encode(metadata)  # a TypeError now, instead of a list that nobody can be sent
    return Entry(
        id=f"{provider_id}/{model.provider_model_id}",
        provider_id=provider_id,
        provider_resource_id=model.provider_model_id,
        kind=model.model_type if model.model_type in MODEL_TYPES else "",
        metadata=metadata,
    )
