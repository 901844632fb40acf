"""What the command line asks of a distribution's interpreter, as the process that it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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


_HASTY = "import runtime.external.importing as bounded\nbounded.SLOW_S, bounded.LIMIT_S = 0.1, 0.5\n"
_REMOTE = "from runtime.spec import remote\nSPEC = remote('firefly', api='inference', summary='', adapter='adapts:A')"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import time; time.sleep(60)", "cannot be imported: it has not ended after 0.5 s"),
        ("while True: pass", "cannot be imported: it has not ended after 0.5 s"),
        (
            "import threading\nwhile True:\n    try: threading.Event().wait()\n    except Exception: pass",
            "cannot be imported: it has not ended after 0.5 s",
        ),
        ("import os; os._exit(0)", "cannot be imported: SystemExit: it ends the process by `os._exit(0)`"),
        (
            "import os\nif not (child := os.fork()): os._exit(3)\nraise OSError(os.waitpid(child, 0)[1] >> 8)",
            "cannot be imported: OSError: 3",
        ),
    ],
    ids=["waits", "computes", "catches", "ends us", "ends a process of its own"],
)
def test_an_import_without_end_and_one_that_ends_the_process_are_named(tmp_path: Path, code: str, why: str) -> None:
    """Also where a server begins, which reads its run config in the same way."""
    for name, text in {"sitecustomize.py": _HASTY, "firefly.py": code, "moth.py": _REMOTE, "adapts.py": code}.items():
        (tmp_path / name).write_text(text)
    entries = [
        {"provider_id": name, "provider_type": "remote::firefly", "module": name} for name in ("firefly", "moth")
    ]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}

    def asked(verb: str, entry: dict[str, Any]) -> Any:
        command = [sys.executable, "-m", "runtime.admin", verb, str(written(tmp_path, {"inference": [entry]}))]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False, env=environment
        )
        assert "still being imported after 0.1 s" in done.stderr or "has not ended" not in why
        return json.loads(done.stdout)

    [spec] = [one for one in asked("specs", entries[0])["specs"] if one["provider_type"] == "remote::firefly"]
    assert spec["facts"] == f"the package `firefly` {why}"
    [failure] = asked("check", entries[1])["failures"]
    assert failure["package"] == "moth" and why.rpartition(": ")[2] in failure["error"]


_OPENS = """
import asyncio, json, sys
from pathlib import Path
from runtime import own_process
from runtime.stack.plan import plan, read_run_config
from runtime.stack.stack import Stack

async def main():
    run = read_run_config(sys.argv[1], {})
    stack = Stack(plan(run), run, state_dir=Path(sys.argv[2]))
    await stack.open()
    print(json.dumps(stack.degraded()))
    await stack.close()

own_process.take()
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("code", "why"),
    [("import os; os._exit(0)", "os._exit(0)"), ("import threading; threading.Event().wait()", "has not ended after")],
    ids=["ends us", "waits"],
)
def test_an_adapter_that_ends_the_server_or_hangs_when_it_is_made_fails_alone(
    tmp_path: Path, code: str, why: str
) -> None:
    adapter = f"class A:\n    def __init__(self, config, context):\n        {code}\n"
    files = {"sitecustomize.py": _HASTY, "moth.py": _REMOTE, "adapts.py": adapter, "opens.py": _OPENS}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    entry = {"provider_id": "moth", "provider_type": "remote::firefly", "module": "moth"}
    file = written(tmp_path, {"inference": [entry, openai_at("http://localhost:1/v1")]})
    command = [sys.executable, str(tmp_path / "opens.py"), str(file), str(tmp_path / "state")]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    [(name, reason)] = json.loads(done.stdout).items()
    assert name == "moth" and reason.startswith("the external package `moth` ") and why in reason


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
