"""Installed as a package, with no source tree in sight: what `pip install .` and `uv tool install .` give to a user."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from llama_cli.packages.pip_settings import read_settings
from llama_cli.packages.uv import run_uv
from tests.support.stack_home import TREE, Home, clean_environment

pytestmark = [pytest.mark.e2e, pytest.mark.network_registry]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the build backend that pyproject.toml names, from what git would hand out."""
    folder = tmp_path_factory.mktemp("wheel")
    settings = read_settings()
    arguments = ["build", "--wheel", "--quiet", "--out-dir", str(folder), *settings.arguments, str(TREE)]
    doing, step = "build our wheel", "building our wheel"
    run_uv(arguments, doing=doing, step=step, folder=folder, environment=settings.environment)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home whose `llama` comes from the wheel, in an environment that pip has filled."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    pip = [str(folder / "venv/bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, str(wheel)], capture_output=True, text=True, check=False, env=clean_environment())
    assert done.returncode == 0, done.stderr
    yield Home(folder / "home", llama=[str(folder / "venv/bin/llama")])


def test_the_wheel_holds_code_and_templates_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {
        "llama_cli",
        "runtime",
        "llama_stack_toolchain",
    }
    for template in TREE.glob("templates/**/*"):
        if template.is_file():
            assert f"llama_cli/{template.relative_to(TREE).as_posix()}" in names
    assert {"llama_cli/schemas/stack-run.json", "runtime/catalog/models.tsv"} <= {*names}
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name]


def test_it_lists_the_same_as_the_source_tree(installed: Home, home: Home) -> None:
    for listing in (("stack", "list-providers", "--json"), ("stack", "list-apis", "--json")):
        result = installed(*listing)
        assert result.code == 0 and json.loads(result.out) == json.loads(home(*listing).out), result.err
    templates = [row["name"] for row in json.loads(installed("stack", "list", "--json").out)]
    assert {"starter", "remote", "ci-tests", "starter-gpu", "meta-reference-quantized-gpu"} <= set(templates)


def test_it_builds_and_serves_with_its_own_code(installed: Home) -> None:
    built = installed("stack", "build", "remote")
    assert built.code == 0, built.err
    again = installed("stack", "build", "remote", "--json")
    assert again.code == 0 and json.loads(again.out)["changed"] is False, again.out
    python = installed.folder / "distributions/remote/.venv/bin/python"
    code = "import runtime, llama_cli; print(runtime.__file__); print(llama_cli.__file__)"
    where = subprocess.run([str(python), "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    assert all(line.startswith(str(installed.folder)) for line in where.splitlines()), where
    with installed.served("remote") as server:
        assert server.get("/v1/health")["status"] == "OK"
        assert server.get("/v1/version")["version"] == installed("--version").out.split()[-1]


def test_the_wheel_it_zips_of_itself_holds_what_it_was_installed_from(installed: Home, wheel: Path) -> None:
    [snapshot] = (installed.folder / "distributions/remote/wheel").glob("*.whl")
    with zipfile.ZipFile(snapshot) as ours, zipfile.ZipFile(wheel) as theirs:
        code = {name for name in theirs.namelist() if ".dist-info/" not in name}
        assert {name for name in ours.namelist() if ".dist-info/" not in name} == code
        assert all(ours.read(name) == theirs.read(name) for name in code)
