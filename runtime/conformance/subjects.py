"""The subjects of a suite: what the module that has its tests states as `SUBJECTS`, by names of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from runtime.conformance.abilities import needed_by

Make = Callable[[Path, pytest.FixtureRequest], AbstractAsyncContextManager[Any]]
"""Runs a subject, with a folder for whatever it keeps; skips with the reason where it cannot be run."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A way to run a provider. make: gives the suite's own `Subject`. abilities: what it claims, which decides the
    tests that it is held to. marks: of each of them.
    """

    make: Make
    abilities: frozenset[str] = frozenset()
    marks: tuple[pytest.MarkDecorator, ...] = ()


def subjects_of(module: ModuleType) -> Mapping[str, Any]:
    """Each subject's `Kind`, by name. Raises pytest's CollectError for a module that states none."""
    found: Mapping[str, Any] | None = getattr(module, "SUBJECTS", None)
    if not found:
        raise pytest.Collector.CollectError(
            f"{module.__file__} has the tests of a conformance suite and nothing that they are for: "
            'state it there, as `SUBJECTS = {"acme": Kind(...)}`'
        )
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One run of a test for each subject that claims all that it needs (`abilities.needs`). Where none does, the test
    is skipped with what nobody claims, unless pytest is told that this is a failure.
    """
    if "subject" not in metafunc.fixturenames:
        return
    needed = needed_by(metafunc.function)
    claimed = [
        pytest.param(name, marks=getattr(kind, "marks", ()))
        for name, kind in subjects_of(metafunc.module).items()
        if needed <= kind.abilities
    ]
    if not claimed and metafunc.config.getini("empty_parameter_set_mark") != "fail_at_collect":
        reason = f"no subject claims {', '.join(sorted(needed))}"
        claimed = [pytest.param("none", marks=pytest.mark.skip(reason=reason))]
    metafunc.parametrize("subject", claimed, indirect=True)
