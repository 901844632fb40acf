"""One Llama home for the tests that serve, a stack in it, and the servers that such a stack calls."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.llama_cpp import Serve
from tests.support.shared import Shared
from tests.support.stack_home import Home, Served
from tests.support.upstreams import Upstream, llama_cpp_upstream, own_upstream


@pytest.fixture(scope="session")
def home(shared: Shared) -> Home:
    """A Llama home for the whole run: each distribution is built in it once, from uv's shared cache."""
    return Home(shared.folder / "llama")


@pytest.fixture(scope="session")
def loopback_only() -> list[str]:
    """The start of a command that runs with no network but loopback. Skips where this user may make no namespace."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip("a network namespace needs `unshare` and `ip`")
    into = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    tried = subprocess.run([*into, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"this user may not make a network namespace: {tried.stderr.strip()}")
    return into


@pytest.fixture(scope="session")
def own_stack(home: Home) -> Iterator[Served]:
    """A stack with the embedded models. Whoever changes its state changes it back."""
    with home.served("ci-tests") as server:
        yield server


@pytest.fixture(scope="module", params=["llama.cpp", "ours"])
def upstream(request: pytest.FixtureRequest) -> Iterator[Upstream]:
    """A server that runs a real model: each that this machine can run."""
    if request.param == "ours":
        yield own_upstream(request.getfixturevalue("own_stack"))
        return
    serve: Serve = request.getfixturevalue("llama_cpp")
    with llama_cpp_upstream(serve) as server:
        yield server
