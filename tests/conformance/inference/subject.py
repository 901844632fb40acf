"""The ways to run the providers that come with us: found beside this file by the provider's name, listed nowhere.

A module `subjects/<provider>.py` has `SUBJECTS`, and `LIVE` where the vendor itself can be asked: what it can. Every
vendor with OpenAI's protocol is also held to the suite with a local server that speaks it
(`subjects/_openai_compatible.py`): a vendor that is a row needs no file.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib.util import find_spec
from types import ModuleType

from runtime import discovery
from runtime.conformance.subjects import Kind
from runtime.providers.inference._openai_compatible.spec import OpenAICompatible
from runtime.spec import Spec
from tests.conformance.inference.vendor import vendor_of


def kinds_of(spec: Spec) -> Mapping[str, Kind]:
    """Every way to run a provider, by name; empty where nobody has said any."""
    from tests.conformance.inference.subjects import _live

    found: dict[str, Kind] = {}
    if isinstance(spec.facts, OpenAICompatible):
        from tests.conformance.inference.subjects import _openai_compatible

        found |= {"wire": _openai_compatible.kind(spec)}
    if (module := _module_of(spec)) is not None:
        found |= module.SUBJECTS
    if (can := live_abilities(spec)) is not None:
        found |= _live.kinds(spec, can)
    return found


def live_abilities(spec: Spec) -> frozenset[str] | None:
    """What the vendor itself can, where it can be asked; None where it cannot."""
    if isinstance(spec.facts, OpenAICompatible):
        return frozenset(vendor_of(spec).has)
    return getattr(_module_of(spec), "LIVE", None)


def _module_of(spec: Spec) -> ModuleType | None:
    name = f"{__package__}.subjects.{spec.module.rpartition('.')[2]}"
    return importlib.import_module(name) if find_spec(name) is not None else None


def providers() -> list[Spec]:
    return [spec for spec in discovery.built_in().specs if spec.api == "inference"]


def found() -> dict[str, Kind]:
    """Every way to run every provider, by the provider's and its own name."""
    return {
        f"{spec.module.rpartition('.')[2]}.{name}": kind
        for spec in providers()
        for name, kind in kinds_of(spec).items()
    }
