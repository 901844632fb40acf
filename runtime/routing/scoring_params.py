"""What a scoring function is told: by a request, else by whoever has registered it, else by its provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from runtime.apis._request import Registered
from runtime.apis.scoring.params import ScoringParams

PARAMS = "params"
"""The fact of a function: what it is usually told, or null."""
_AGGREGATIONS = "aggregation_functions"
_params: TypeAdapter[Any] = TypeAdapter(ScoringParams)
Stored = Mapping[str, Any]
"""Params as JSON, with the defaults of what was not said."""


def with_usual(said: Stored | None, usual: Stored | None) -> Stored | None:
    """Params where some are usual. What has a default, such as an empty list, was not said."""
    if said is None or usual is None:
        return said or usual
    if said["type"] == usual["type"]:
        return {**usual, **{name: value for name, value in said.items() if value not in (None, [], {})}}
    return {**said, _AGGREGATIONS: said[_AGGREGATIONS] or usual[_AGGREGATIONS]}


def told(given: ScoringParams | None, function: Registered) -> ScoringParams | None:
    """What a function is told. given: by a request, which may also say what is usual elsewhere: nothing."""
    usual: Stored | None = function.facts.get(PARAMS)
    if usual is None:
        return given
    said = {name: getattr(given, name) for name in given.model_fields_set} if given else {}
    if given is not None and given.type != usual["type"]:
        usual = given.model_dump()
    whole = {**usual, **said}
    whole[_AGGREGATIONS] = whole[_AGGREGATIONS] or function.facts[PARAMS][_AGGREGATIONS]
    params: ScoringParams = _params.validate_python(whole)
    return params
