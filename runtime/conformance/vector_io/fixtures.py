"""Runs each test once for each of its module's `SUBJECTS` that claims what it needs; a server is started once for a
module.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.conformance.subjects import pytest_generate_tests, subjects_of
from runtime.conformance.vector_io.asking import Asked
from runtime.conformance.vector_io.subject import Kind, Subject

__all__ = ["pytest_generate_tests", "subject", "vectors"]


@pytest.fixture(scope="module")
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """Skipped with the reason where it cannot be started; the run's summary shows that."""
    kind: Kind = subjects_of(request.module)[request.param]
    with kind.start(tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest_asyncio.fixture
async def vectors(subject: Subject, tmp_path: Path) -> AsyncIterator[Asked]:
    asked = Asked(subject.open(tmp_path))
    yield asked
    await asked.stop()
