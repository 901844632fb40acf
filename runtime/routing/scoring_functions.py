"""The registry of scoring functions: providers list those that they have, as `provider_id::name`. One that is
registered or of the run config says what its provider lists of the function that it stands for, but for what it says
itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from runtime.apis.scoring.functions import ListedFunction
from runtime.routing.entry import Entry
from runtime.routing.registry import Registry
from runtime.routing.scoring_params import PARAMS, with_usual

RETURNS = "returns"
"""The fact of a function that its provider lists, by whichever name: the type of its scores, as its provider says."""
_COLUMNS, _RETURN_TYPE = "columns", "return_type"


class ScoringFunctionsRegistry(Registry):
    """The registry of scoring functions."""

    lists_with: ClassVar[str] = "list_scoring_functions"

    def serve_listed(self, provider_id: str, listed: Iterable[ListedFunction]) -> str:
        """Replace the functions that a provider lists. Returns no note: each can be served."""
        self._table.replace_listed(provider_id, [_entry(provider_id, one) for one in listed])
        return ""

    def as_served(self, entry: Entry) -> Entry:
        listed = self._table.names.listed.get(f"{entry.provider_id}::{entry.provider_resource_id}")
        if listed is entry:
            return entry
        usual = listed.facts if listed else {_RETURN_TYPE: {"type": "number"}}
        said = {name: value for name, value in entry.facts.items() if value is not None}
        facts = {**usual, **said, PARAMS: with_usual(entry.facts.get(PARAMS), usual.get(PARAMS))}
        metadata = dict(entry.metadata)
        if listed and _COLUMNS not in metadata and not _has_own_prompt(entry.facts.get(PARAMS)):
            metadata[_COLUMNS] = listed.metadata[_COLUMNS]
        return replace(entry, facts=facts, metadata=metadata)


def _has_own_prompt(params: Mapping[str, Any] | None) -> bool:
    """Whether what the function reads is in a prompt that only its provider can read."""
    return params is not None and params.get("prompt_template") is not None


def _entry(provider_id: str, function: ListedFunction) -> Entry:
    return Entry(
        id=f"{provider_id}::{function.name}",
        provider_id=provider_id,
        provider_resource_id=function.name,
        metadata={_COLUMNS: list(function.columns)},
        facts={
            "description": function.description,
            _RETURN_TYPE: {"type": function.returns},
            PARAMS: function.params.model_dump(mode="json") if function.params else None,
            RETURNS: function.returns,
        },
    )


REGISTRY = ScoringFunctionsRegistry
