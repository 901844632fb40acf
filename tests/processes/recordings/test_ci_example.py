"""The job of a pipeline that scripts/examples shows, as it is there; and the GitHub Action."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.support.stack_home import TREE, Home

pytestmark = pytest.mark.e2e

ACTION: dict[str, Any] = yaml.safe_load((TREE / "action.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def with_commands(home: Home, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which `llama` and `pytest` are commands."""
    folder = tmp_path_factory.mktemp("bin")
    for name, module in (("llama", "llama_cli.main"), ("pytest", "pytest")):
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        (folder / name).chmod(0o755)
    usual = {name: value for name, value in home.environment.items() if not name.startswith("PYTEST_")}
    return {**usual, "PATH": f"{folder}:{home.environment['PATH']}"}


@pytest.mark.timeout(600)
def test_the_job_of_a_pipeline_passes_with_its_recordings_alone(with_commands: dict[str, str]) -> None:
    recordings = TREE / "scripts/examples/ci/recordings"
    before = {path: path.read_bytes() for path in recordings.rglob("*.json")}
    job = str(TREE / "scripts/examples/ci.sh")
    done = subprocess.run([job], env=with_commands, capture_output=True, text=True, check=False, timeout=580)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("==") == 5 and "3 passed" in done.stdout
    assert "is 1.000, at least 0.500" in done.stderr
    assert {path: path.read_bytes() for path in recordings.rglob("*.json")} == before


def test_the_action_is_one() -> None:
    schema = json.loads(files("check_jsonschema").joinpath("builtin_schemas/vendor/github-actions.json").read_text())
    jsonschema.validate(ACTION, schema)


def test_the_action_runs_a_command_with_a_stack(with_commands: dict[str, str], tmp_path: Path) -> None:
    given = {
        "LLAMA_ACTION_RUN": 'echo "at $OPENAI_BASE_URL"; exit 7',
        "LLAMA_ACTION_TARGET": "run.yaml",
        "LLAMA_ACTION_REPLAY": os.fspath(TREE / "scripts/examples/ci/recordings"),
        "LLAMA_ACTION_OPTIONS": f"--inject 'meta-reference: 429 10%' --env A=$(>{tmp_path}/made) -q",
    }
    step = ACTION["runs"]["steps"][-1]
    assert given.keys() == step["env"].keys() and step["shell"] == "python"
    done = subprocess.run(
        [sys.executable, "-c", step["run"]], cwd=TREE / "scripts/examples/ci", env={**with_commands, **given},
        capture_output=True, text=True, check=False, timeout=250,
    )  # fmt: skip
    assert done.returncode == 7 and done.stdout.startswith("at http://127.0.0.1:"), done.stderr
    assert not (tmp_path / "made").exists(), "no shell has read the options"
