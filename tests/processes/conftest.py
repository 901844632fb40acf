"""One Llama home for the tests that serve, a stack in it, and the servers that such a stack calls."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.llama_cpp import Serve
from tests.support.shared import Shared
from tests.support.stack_home import Home, Served, reserved_port
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


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Home]:
    """A home where `llama` is on the PATH and a server takes a port of its own.

    Its starter is built already, with a short context: an answer that is sampled from a small model, and not bounded by
    the caller, may go on for thousands of tokens.
    """
    home = Home(tmp_path / "home")
    run_yaml = home.folder / "distributions/starter/run.yaml"
    assert home("stack", "build", "starter").code == 0
    model = "      model: ${env.INFERENCE_MODEL:=SmolLM2-135M-Instruct}\n"
    rendered = run_yaml.read_text(encoding="utf-8")
    assert model in rendered
    run_yaml.write_text(rendered.replace(model, f"{model}      max_seq_len: 200\n"), encoding="utf-8")
    llama = tmp_path / "bin/llama"
    llama.parent.mkdir()
    llama.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m llama_cli.main "$@"\n')
    llama.chmod(0o755)
    home.environment["PATH"] = f"{llama.parent}:{home.environment['PATH']}"
    with reserved_port() as port:
        home.environment["LLAMA_STACK_PORT"] = str(port)
        yield home
    for record in (home.folder / "servers").glob("*.json"):
        home.stop(record.stem)
