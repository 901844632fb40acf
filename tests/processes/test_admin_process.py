"""What the command line asks of a distribution's interpreter, as the process that it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.stacks import openai_at

ROOT = Path(__file__).parents[2]


def written(folder: Path, providers: dict[str, Any]) -> Path:
    file = folder / "run.yaml"
    file.write_text(json.dumps({"version": 2, "distro_name": "test", "providers": providers}))
    return file


def check(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runtime.admin", "check", str(file)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_adapters_that_can_be_imported_are_said_to_be(tmp_path: Path) -> None:
    done = check(written(tmp_path, {"inference": [openai_at("http://localhost:1/v1")]}))
    assert (done.returncode, json.loads(done.stdout)) == (0, {"failures": []})


def test_a_config_that_cannot_be_planned_is_told_in_words(tmp_path: Path) -> None:
    done = check(written(tmp_path, {"inference": [{"provider_id": "a", "provider_type": "remote::olama"}]}))
    assert done.returncode == 3 and "did you mean `remote::ollama`?" in done.stderr
    [problem] = json.loads(done.stdout)["error"]["problems"]
    assert (problem["path"], problem["line"]) == ("providers.inference[0].provider_type", 1)
    assert "Traceback" not in done.stderr


_NO_ANSWER = """\
import socket, time
import runtime.admin.providers as asked
asked.LIMIT_S = 0.5
def of_a_name_server_that_is_silent(host, *rest, **facts):
    time.sleep(60)
socket.getaddrinfo = of_a_name_server_that_is_silent
"""


def test_a_name_server_that_never_answers_keeps_no_answer_back(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(_NO_ANSWER)
    file = written(tmp_path, {"inference": [openai_at("http://nowhere.example/v1")]})
    command = [sys.executable, "-m", "runtime.admin", "providers", str(file)]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False, env=environment)
    assert (done.returncode, [row["outcome"] for row in json.loads(done.stdout)["providers"]]) == (0, ["timed_out"])
