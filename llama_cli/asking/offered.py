"""What a server has as it is asked: models and other resources, how their providers are, and what is off.

Knows which list has the resources of which API. Prints nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from llama_cli.asking import ask
from llama_cli.exits import Failure
from llama_cli.servers import named
from llama_cli.servers.condition import provider_health
from runtime.errors import StackError

_LISTS = {
    "inference": ("/v1/models", "id"),
    "safety": ("/v1/shields", "identifier"),
    "scoring": ("/v1/scoring-functions", "identifier"),
    "tool_runtime": ("/v1/toolgroups", "identifier"),
}
"""Of the APIs whose resources several providers may have: where these are listed, and the field with their id."""
_WITHIN_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Resource:
    """id: to ask for. own_name: what its provider calls it. canonical: what Llama calls the model, empty for others."""

    id: str
    provider_id: str
    own_name: str
    kind: str = ""
    canonical: str = ""


@dataclass(frozen=True, kw_only=True)
class State:
    """How a provider is: `ok`, or in words of `provider_health`. message: why, where it is said."""

    status: str
    message: str | None = None


@dataclass(frozen=True, kw_only=True)
class Off:
    """A provider that was not started. variables: what turns it on."""

    provider_type: str
    variables: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Offered:
    """resources: by API. states: by API and provider. off: of a server that was started here; what another has off, it
    does not say. unknown: why something could not be asked, empty where all of it was.
    """

    resources: dict[str, list[Resource]] = field(default_factory=dict)
    states: dict[tuple[str, str], State] = field(default_factory=dict)
    off: tuple[Off, ...] = ()
    unknown: str = ""


def offered(url: str, apis: Collection[str]) -> Offered:
    """What a server has of some APIs. Of one that does not tell, what it tells."""
    resources: dict[str, list[Resource]] = {}
    states: dict[tuple[str, str], State] = {}
    try:
        for api in sorted(_LISTS.keys() & set(apis)):
            path, id_field = _LISTS[api]
            rows = ask.listed(url, path, by=id_field, timeout_s=_WITHIN_S)
            resources[api] = [_resource(row, id_field) for row in rows]
        if any(len({one.provider_id for one in some}) > 1 for some in resources.values()):
            for row in provider_health(url, timeout_s=_WITHIN_S):
                states[str(row["api"]), str(row["provider_id"])] = State(status=row["status"], message=row["message"])
    except Failure as failure:
        return Offered(resources=resources, states=states, unknown=failure.message)
    return Offered(resources=resources, states=states, off=_off(url) if resources else ())


def _resource(row: dict[str, Any], id_field: str) -> Resource:
    about = row.get("metadata") if isinstance(row.get("metadata"), dict) else {}
    return Resource(
        id=row[id_field],
        provider_id=str(row.get("provider_id") or ""),
        own_name=str(row.get("provider_resource_id") or ""),
        kind=str(row.get("model_type") or ""),
        canonical=str((about or {}).get("canonical_model_id") or ""),
    )


def _off(url: str) -> tuple[Off, ...]:
    try:
        stated = named.find(url).off
    except (StackError, Failure):  # it was started elsewhere
        return ()
    return tuple(
        Off(provider_type=str(one.get("provider_type")), variables=tuple(map(str, one.get("variables") or ())))
        for one in stated
    )
