"""The registry of scoring functions: providers list those that they have, as `provider_id::name`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from runtime.apis.scoring.functions import ListedFunction
from runtime.routing.entry import Entry
from runtime.routing.registry import Registry


class ScoringFunctionsRegistry(Registry):
    """The registry of scoring functions."""

    lists_with: ClassVar[str] = "list_scoring_functions"

    def serve_listed(self, provider_id: str, listed: Iterable[ListedFunction]) -> str:
        """Replace the functions that a provider lists. Returns no note: each can be served."""
        self._table.replace_listed(provider_id, [_entry(provider_id, one) for one in listed])
        return ""


def _entry(provider_id: str, function: ListedFunction) -> Entry:
    return Entry(
        id=f"{provider_id}::{function.name}",
        provider_id=provider_id,
        provider_resource_id=function.name,
        metadata={"columns": list(function.columns)},
        facts={
            "description": function.description,
            "return_type": {"type": function.returns},
            "params": function.params.model_dump(mode="json") if function.params else None,
        },
    )


REGISTRY = ScoringFunctionsRegistry
