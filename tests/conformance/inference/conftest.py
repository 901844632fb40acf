"""Runs a test once for each subject that claims what it needs (`subject.needs`)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.conformance.inference.subject import Subject, kinds_of, providers
from tests.conformance.inference.subjects import _live

KINDS = {
    f"{spec.module.rpartition('.')[2]}.{name}": kind for spec in providers() for name, kind in kinds_of(spec).items()
}


def pytest_report_header() -> list[str]:
    """Which real vendors are asked, and why others are not."""
    return _live.plan(providers())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One run of a test for each subject that claims what it needs."""
    if "subject" not in metafunc.fixturenames:
        return
    claimed = [
        pytest.param(name, marks=kind.marks)
        for name, kind in KINDS.items()
        if metafunc.function.__dict__["abilities"] <= kind.abilities
    ]
    metafunc.parametrize("subject", claimed, indirect=True, scope="module")


@pytest.fixture(autouse=True)
def needed(request: pytest.FixtureRequest) -> None:
    """Skips a test for what this running subject turns out not to have."""
    if "subject" in request.fixturenames:
        lacks = request.getfixturevalue("subject").lacks
        for ability in lacks.keys() & request.function.abilities:
            pytest.skip(lacks[ability])


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Subject]:
    async with KINDS[request.param].make(tmp_path_factory.mktemp(request.param), request) as running:
        yield running
