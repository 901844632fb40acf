"""APIs and providers that exist only in tests, found by discovery like any other."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

import pytest

from runtime import discovery
from runtime.apis._api import Api
from runtime.spec import Spec


def mount(monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> None:
    """Let discovery find what modules state: `APIS`, and `SPECS` as pairs of an API's name and a spec."""
    apis = [api for module in modules for api in module.APIS]
    add(monkeypatch, apis, [spec.found_in(api, module.__name__) for module in modules for api, spec in module.SPECS])


def add(monkeypatch: pytest.MonkeyPatch, apis: Iterable[Api], specs: Iterable[Spec]) -> None:
    """Let discovery find these APIs and specs beside what is built in."""
    more, added = {api.name: api for api in apis}, tuple(specs)
    known, built_in, load_api = discovery.api_names(), discovery.specs(), discovery.load_api
    table = {**discovery.by_type(), **{(spec.api, spec.provider_type): spec for spec in added}}
    monkeypatch.setattr(discovery, "api_names", lambda: tuple(sorted({*known, *more})))
    monkeypatch.setattr(discovery, "load_api", lambda name: more[name] if name in more else load_api(name))
    monkeypatch.setattr(discovery, "specs", lambda: (*built_in, *added))
    monkeypatch.setattr(discovery, "by_type", lambda: table)
