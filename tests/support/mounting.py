"""APIs and providers that exist only in tests, beside those that are built in."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

import pytest

from runtime import discovery
from runtime.apis._api import Api
from runtime.spec import Spec


def mount(monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> None:
    """Let plans be made with what modules state: `APIS`, and `SPECS` as pairs of an API's name and a spec."""
    apis = [api for module in modules for api in module.APIS]
    add(monkeypatch, apis, [spec.found_in(api, module.__name__) for module in modules for api, spec in module.SPECS])


def add(monkeypatch: pytest.MonkeyPatch, apis: Iterable[Api], specs: Iterable[Spec]) -> None:
    """Let plans be made with these APIs and specs too."""
    world = discovery.built_in().beside(apis, specs)
    monkeypatch.setattr(discovery, "built_in", lambda: world)
