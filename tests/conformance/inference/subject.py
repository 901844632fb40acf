"""The ways to run the providers that come with us: found beside this file by the provider's name, listed nowhere.

A module `subjects/<provider>.py` has `SUBJECTS`. Every vendor with OpenAI's protocol is also held to
the suite with a local server that speaks it (`subjects/_openai_compatible.py`): a vendor that is a row needs no file.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib.util import find_spec

from runtime import discovery
from runtime.conformance.subjects import Kind
from runtime.providers.inference._openai_compatible.spec import OpenAICompatible
from runtime.spec import Spec


def kinds_of(spec: Spec) -> Mapping[str, Kind]:
    """Every way to run a provider, by name; empty where nobody has said any."""
    found: dict[str, Kind] = {}
    if isinstance(spec.facts, OpenAICompatible):
        from tests.conformance.inference.subjects import _live, _openai_compatible

        found |= {"wire": _openai_compatible.kind(spec), **_live.kinds(spec)}
    module = f"{__package__}.subjects.{spec.module.rpartition('.')[2]}"
    if find_spec(module) is not None:
        found |= importlib.import_module(module).SUBJECTS
    return found


def providers() -> list[Spec]:
    return [spec for spec in discovery.built_in().specs if spec.api == "inference"]


def found() -> dict[str, Kind]:
    """Every way to run every provider, by the provider's and its own name."""
    return {
        f"{spec.module.rpartition('.')[2]}.{name}": kind
        for spec in providers()
        for name, kind in kinds_of(spec).items()
    }
