"""Runs a test once for each of its module's `SUBJECTS` that claims what it needs (`abilities.needs`)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from runtime.conformance.abilities import needed_by
from runtime.conformance.inference.subject import Subject
from runtime.conformance.subjects import Kind, pytest_generate_tests, subjects_of

__all__ = ["needed", "pytest_generate_tests", "subject"]


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
