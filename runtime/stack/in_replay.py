"""Which providers a replay does without: something else answers in their place, so that neither they nor their packages
need be there.
"""

from __future__ import annotations

from runtime.apis._api import Api
from runtime.spec import Spec, StandIn


def stand_in_of(spec: Spec, api: Api) -> StandIn | None:
    """The provider that is there in place of another one; None where that itself is, or its recorded calls are."""
    return spec.in_replay or (StandIn(api.in_replay) if ":" in api.in_replay else None)


def is_recorded_by_calls(spec: Spec, api: Api) -> bool:
    """Whether it is recorded what a provider is asked, and not what it asks: of those that compute in this process with
    packages of their own, where their API says so.
    """
    is_replaceable = spec.kind == "inline" and bool(spec.packages or spec.package)
    return api.in_replay == "calls" and is_replaceable and stand_in_of(spec, api) is None


def is_replaced(spec: Spec, api: Api) -> bool:
    """Whether something stands in for a provider in a replay."""
    return stand_in_of(spec, api) is not None or is_recorded_by_calls(spec, api)


def packages_of(spec: Spec, api: Api) -> tuple[str, ...]:
    """What of a provider's packages a replay needs."""
    if (stand_in := stand_in_of(spec, api)) is not None:
        return stand_in.packages
    return () if is_recorded_by_calls(spec, api) else spec.packages
