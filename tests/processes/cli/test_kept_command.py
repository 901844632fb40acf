"""The keeper of a command, by itself: as where the system has no adoption of orphans and no /proc, which is macOS."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from llama_cli.executing import keeper
from llama_cli.executing.command import PASSED_ON, KeptCommand
from llama_cli.servers.process import Signals
from tests.support.descendants import children
from tests.support.stack_home import is_running

ELSEWHERE = f"""
import sys
sys.platform = "darwin"
keeper = {{"__name__": "keeper"}}
exec(open({keeper.__file__!r}).read(), keeper)
keeper["_parents"] = keeper["_parents_by_ps"]
keeper["main"]()
"""
STARTS_ANOTHER = """
import subprocess, sys
other = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
with open(sys.argv[1], "w") as told:
    told.write(str(other.pid))
sys.exit(other.wait())
"""


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/bin/ps").exists():
        pytest.skip("there is no ps")
    program = tmp_path / "keeper.py"
    program.write_text(ELSEWHERE)
    monkeypatch.setattr(keeper, "__file__", str(program))


def test_all_processes_have_their_parents() -> None:
    assert (os.getpid(), os.getppid()) in keeper._parents()
    if Path("/bin/ps").exists():
        assert (os.getpid(), os.getppid()) in keeper._parents_by_ps()


@pytest.mark.usefixtures("elsewhere")
def test_a_command_is_run_and_ended_with_its_children_also_elsewhere(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "told")
    before = set(children())
    words = [sys.executable, "-c", STARTS_ANOTHER, str(tmp_path / "told")]
    with Signals(PASSED_ON) as signals:
        with KeptCommand(sys.executable, [sys.executable, "-c", "raise SystemExit(6)"], os.environ) as kept:
            assert kept.wait(signals) == 6
        with KeptCommand(sys.executable, words, os.environ) as kept:
            other = int((tmp_path / "told").read_text())
            command = psutil.Process(other).ppid()
            assert is_running(other) and is_running(command)
        assert (kept.code, kept.left) == (128 + signal.SIGTERM, 0)
    assert not is_running(other) and not is_running(command)
    assert set(children()) <= before, "whoever has lost its parent is not left to us as a zombie"
