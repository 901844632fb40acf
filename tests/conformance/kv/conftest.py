"""Runs each test once for each subject that claims what it needs; a server is started once for all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.conformance.abilities import needed_by
from runtime.storage.kv import KeyValueStore
from tests.conformance.kv.subject import Subject, found

KINDS = found()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "subject" in metafunc.fixturenames:
        needed = needed_by(metafunc.function)
        names = [name for name, kind in KINDS.items() if needed <= kind.abilities]
        metafunc.parametrize("subject", names, indirect=True, scope="module")


@pytest.fixture(scope="module")
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """Skipped with the reason where it cannot be started; the run's summary shows that."""
    with KINDS[request.param].start(tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest_asyncio.fixture
async def store(subject: Subject, tmp_path: Path) -> AsyncIterator[KeyValueStore]:
    opened = subject.open(tmp_path)
    yield opened
    await opened.close()
