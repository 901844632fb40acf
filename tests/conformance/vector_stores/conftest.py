"""One stack for each vector database that `tests/conformance/vector_io/subjects` has, and the models that it uses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.upstream import upstream_server
from tests.conformance.vector_io.subject import found
from tests.conformance.vector_stores.asking import Asking, asking
from tests.support.word_models import Models

KINDS = found()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test once for each database, or only with Chroma where its module says `ANY_DATABASE`."""
    if "vector_io" in metafunc.fixturenames:
        names = ["chromadb"] if getattr(metafunc.module, "ANY_DATABASE", False) else [*KINDS]
        metafunc.parametrize("vector_io", names, indirect=True, scope="module")


@pytest.fixture(scope="module")
def vector_io(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Any]]:
    """The run config's entry of a database. Skipped with the reason where it cannot be started."""
    kind = KINDS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    with kind.start(folder) as subject:
        config = dict(subject.config(folder))
        yield {"provider_id": request.param, "provider_type": kind.spec.provider_type, "config": config}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def models() -> AsyncIterator[Models]:
    async with upstream_server(make=Models) as upstream:
        yield upstream


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stores(
    vector_io: Mapping[str, Any], models: Models, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Asking]:
    """One stack for a module's tests, which each make stores of their own."""
    async with asking(vector_io, models, tmp_path_factory.mktemp("state")) as found:
        yield found
