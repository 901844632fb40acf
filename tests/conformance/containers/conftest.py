"""A stack with containers and files for a module's tests, which say why where nothing can be kept apart, and skip."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.stacks import run_config, serving
from tests.conformance.containers.asking import Asking
from tests.support.apart import why_not

BOUNDS: dict[str, Any] = {
    "run_timeout_s": 20.0,
    "disk_bytes": 64 * 1024**2,
    "max_files": 200,
    "max_processes": 32,
    "log_bytes": 4096,
    "flood_bytes": 1024**2,
}
"""Small, so that tests reach them soon."""


def config(**bounds: Any) -> Any:
    """The run config of such a stack."""
    containers = [{"provider_id": "bubblewrap", "provider_type": "inline::bubblewrap", "config": BOUNDS | bounds}]
    files = [{"provider_id": "localfs", "provider_type": "inline::localfs"}]
    return run_config(providers={"containers": containers, "files": files}, apis=["containers", "files"])


@pytest.fixture(scope="session")
def can_isolate() -> None:
    if reason := why_not():
        pytest.skip(reason)


@pytest.fixture(scope="module", autouse=True)
def umask_of_a_server() -> Iterator[None]:
    """What a server makes is for its owner alone."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def containers(can_isolate: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asking]:
    async with serving(config(), tmp_path_factory.mktemp("state")) as served:
        yield Asking(served, served.stack.api("containers"))
