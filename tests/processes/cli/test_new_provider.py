"""What `llama stack new-provider` has written passes the suite of its API as it is, installed as a package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from llama_cli.packages.pip_settings import read_settings
from llama_cli.packages.uv import run_uv
from llama_cli.scaffold.kits import kinds_by_api
from tests.support.stack_home import Home, clean_environment

pytestmark = pytest.mark.e2e

KITS = [(api, kind) for api, kinds in kinds_by_api().items() for kind in kinds]
IDS = [f"{api}-{kind}".replace("_", "-") for api, kind in KITS]
LEAST = 10
"""Tests that a suite holds every provider of its API to."""


@pytest.fixture(scope="module")
def packages(home: Home, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every package that can be generated, by its name."""
    folder = tmp_path_factory.mktemp("packages")
    for (api, kind), name in zip(KITS, IDS, strict=True):
        made = home("stack", "new-provider", f"acme-{name}", "--api", api, "--kind", kind, cwd=folder)
        assert made.code == 0, made.err
    return {name: folder / f"acme-{name}" for name in IDS}


def check_passes(python: Path, folder: Path, **environment: str) -> None:
    """Its tests pass, and are as many as the suite must have."""
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short"]
    done = subprocess.run(
        command,
        cwd=folder,
        env=clean_environment() | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = next(line for line in reversed(done.stdout.splitlines()) if " passed" in line)
    assert int(passed.split(" passed")[0].split()[-1]) >= LEAST, passed


@pytest.mark.network_registry
def test_each_installed_package_passes_its_suite(packages: dict[str, Path], tmp_path: Path) -> None:
    """All in one environment, with the toolchain as its group `dev` names it: one that knows no tree of ours."""
    settings, venv = read_settings(), tmp_path / "venv"
    python = venv / "bin" / "python"

    def uv(*arguments: str) -> None:
        doing = "install generated packages"
        run_uv(arguments, doing=doing, step=doing, folder=tmp_path, environment=settings.environment)

    uv("venv", "--python", sys.executable, "--quiet", str(venv))
    for folder in packages.values():
        group = f"{folder / 'pyproject.toml'}:dev"
        uv("pip", "install", "--quiet", "--python", str(python), *settings.arguments, str(folder), "--group", group)
    for folder in packages.values():
        check_passes(python, folder)
