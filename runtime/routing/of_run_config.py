"""Registering under a name that the run config or the command line has given: taken only as it is there."""

from __future__ import annotations

from dataclasses import replace

from pydantic import BaseModel

from runtime.apis._resources import Resource
from runtime.routing.entry import Entry

_WHERE = {"config": "the run config", "alias": "`--alias`"}


def is_of_run_config(entry: Entry) -> bool:
    """Whether it is there as long as the server runs, and no caller can change it."""
    return entry.source in _WHERE


def where_from(entry: Entry) -> str:
    """Who named it, for messages."""
    return _WHERE.get(entry.source, f"provider `{entry.provider_id}`, which lists it")


def completed(entry: Entry, request: BaseModel, present: Entry) -> Entry:
    """An entry with the facts that the request for it leaves out, or gives as null, as the run config has them."""
    given = {name for name in request.model_fields_set if getattr(request, name) is not None}
    said = {name: value for name, value in entry.facts.items() if name in given}
    metadata = entry.metadata if "metadata" in given else present.metadata
    return replace(entry, metadata=metadata, facts={**present.facts, **said})


def said_otherwise(entry: Entry, present: Entry, resource: Resource) -> str:
    """Which fields of a request say something else of what is there, in words; empty where none does."""
    facts = dict.fromkeys(name for one in (entry, present) for name in one.facts)
    found = {
        "provider_id": entry.provider_id != present.provider_id,
        resource.provider_id_field: entry.provider_resource_id != present.provider_resource_id,
        f"{resource.kind}_type": entry.kind != present.kind,
        "metadata": entry.metadata != present.metadata,
        **{name: entry.facts.get(name) != present.facts.get(name) for name in facts},
    }
    others = ", ".join(f"`{name}`" for name, is_other in found.items() if is_other)
    return f"comes from {where_from(present)}, with another {others}" if others else ""
