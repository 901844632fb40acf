"""Runs a test once for each of its module's `SUBJECTS` that claims what it needs (`abilities.needs`)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from runtime.conformance.abilities import needed_by
from runtime.conformance.inference.subject import Kind, Subject
from runtime.conformance.subjects import claiming, subjects_of

__all__ = ["needed", "pytest_generate_tests", "subject"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One run of a test for each subject that claims what it needs."""
    if "subject" not in metafunc.fixturenames:
        return
    subjects = subjects_of(metafunc.module)
    names = claiming(subjects, needed_by(metafunc.function))
    claimed = [pytest.param(name, marks=subjects[name].marks) for name in names]
    metafunc.parametrize("subject", claimed, indirect=True, scope="module")


@pytest.fixture(autouse=True)
def needed(request: pytest.FixtureRequest) -> None:
    """Skips a test for what this running subject turns out not to have."""
    if "subject" in request.fixturenames:
        lacks = request.getfixturevalue("subject").lacks
        for ability in lacks.keys() & needed_by(request.function):
            pytest.skip(lacks[ability])


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Subject]:
    kind: Kind = subjects_of(request.module)[request.param]
    async with kind.make(tmp_path_factory.mktemp(request.param), request) as running:
        yield running
