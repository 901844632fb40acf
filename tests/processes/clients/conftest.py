"""The stack under test: one for all of these tests, chosen with `--stack-config`."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from openai import OpenAI

from tests.processes.clients.gateway import Gateway, serving_a_vendor
from tests.support.official_clients import OfficialClient, Running, official_clients, running
from tests.support.shared import Shared
from tests.support.stack_home import Home, Stack


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of one official client together, so that each is started once; pytest's own order by parameters counts
    their places in each test's list.
    """

    def client(item: pytest.Item) -> Any:
        return item.callspec.params.get("client") if hasattr(item, "callspec") else None

    slots = [slot for slot, item in enumerate(items) if isinstance(client(item), OfficialClient)]
    ids = [one.id for one in official_clients()]

    def place(item: pytest.Item) -> tuple[Path, int, list[str]]:
        return item.path, ids.index(client(item).id), client(item).script

    ordered = sorted((items[slot] for slot in slots), key=place)
    for slot, item in zip(slots, ordered, strict=True):
        items[slot] = item


@pytest.fixture(scope="session")
def stack(
    request: pytest.FixtureRequest, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A URL is used as it is. A name or a file is built and served, with the caller's own keys and addresses."""
    chosen = pytestconfig.getoption("--stack-config")
    if chosen is None:
        yield request.getfixturevalue("own_stack")
    elif chosen.startswith(("http://", "https://")):
        yield Stack(url=chosen.rstrip("/").removesuffix("/v1"))
    else:
        own = Home(tmp_path_factory.mktemp("chosen"), environment=os.environ)
        target = str(Path(chosen).resolve()) if Path(chosen).is_file() else chosen
        with own.served(target) as server:
            yield server


def _model(pytestconfig: pytest.Config, stack: Stack, option: str, model_type: str) -> str:
    model: str | None = pytestconfig.getoption(option) or stack.model_of_type(model_type)
    if model is None:
        pytest.skip(f"this stack serves no model of type `{model_type}`")
    return model


@pytest.fixture(scope="session")
def text_model(pytestconfig: pytest.Config, stack: Stack) -> str:
    return _model(pytestconfig, stack, "--text-model", "llm")


@pytest.fixture(scope="session")
def embedding_model(pytestconfig: pytest.Config, stack: Stack) -> str:
    return _model(pytestconfig, stack, "--embedding-model", "embedding")


@pytest.fixture(scope="session", params=["/v1", "/v1/openai/v1"])
def openai(request: pytest.FixtureRequest, stack: Stack) -> Iterator[OpenAI]:
    """The official client, at the address of today and at the one of llama-stack 0.2. It repeats nothing by itself."""
    with OpenAI(base_url=stack.url + request.param, api_key="none", max_retries=0, timeout=120) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    async with serving_a_vendor(tmp_path_factory.mktemp("gateway")) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(request: pytest.FixtureRequest, shared: Shared, note: Callable[[str], None]) -> AsyncIterator[Running]:
    wanted: OfficialClient = request.param
    async with running(wanted, shared) as ready:
        note(ready.who)
        yield ready
