"""The subjects of a suite: what the module that has its tests states as `SUBJECTS`, by names of its own."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pytest


def subjects_of(module: ModuleType) -> Mapping[str, Any]:
    """Each subject's `Kind`, by name. Raises pytest's CollectError for a module that states none."""
    found: Mapping[str, Any] | None = getattr(module, "SUBJECTS", None)
    if not found:
        raise pytest.Collector.CollectError(
            f"{module.__file__} has the tests of a conformance suite and nothing that they are for: "
            'state it there, as `SUBJECTS = {"acme": Kind(...)}`'
        )
    return found


def claiming(subjects: Mapping[str, Any], needed: frozenset[str]) -> list[str]:
    """The names of those whose `abilities` are all that a test needs."""
    return [name for name, kind in subjects.items() if needed <= kind.abilities]
