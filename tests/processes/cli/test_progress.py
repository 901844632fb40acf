"""Progress as a person at a terminal sees it, as a log keeps it, and that it leaves nothing behind."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import runtime
from tests.support.screen import CTRL_C, SIZES, Screen

TREE = Path(runtime.__file__).parents[1]
WORK = """
import sys, time
from llama_cli.terminal import console
from llama_cli.main import run
from llama_cli.terminal.progress import display, working
"""
DOWNLOAD = (
    WORK
    + """
with working("downloading packages", total=780_100_000, unit="bytes") as step:
    step.detail = "torch"
    while True:
        step.done = min(step.done + 1_000_000, 340_200_000)
        time.sleep(0.01)
"""
)


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "NO_COLOR", "COLUMNS", "LINES")}
    return {**kept, "PYTHONPATH": str(TREE), "TERM": "xterm-256color", **more}


def program(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_line_holds_picture_amounts_rate_and_time_left(size: tuple[int, int]) -> None:
    columns, lines = size
    with Screen(program(DOWNLOAD), environment(), columns=columns, lines=lines) as screen:
        line = screen.wait_for(r"^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] .*left.*$")[0]
        assert re.search(r"downloading packages ━+╸?─+ [\d.]+ of 780\.1 MB, [\d.]+ MB/s, \d+s left", line)
        assert line.endswith(": torch") == (columns > 100)
        assert len(screen.fresh.splitlines()) == 1, "it is drawn in one line"
        screen.type(CTRL_C)
        screen.wait_until_it_ends()
        assert "downloading" not in screen.fresh
        assert screen.visible[0] == "" or screen.visible[0].startswith(("^C", "Traceback"))


def test_words_stand_above_it_and_nothing_is_left_at_its_end() -> None:
    code = (
        WORK
        + """
with display() as shown:
    with shown.step("one"):
        time.sleep(0.3)
        console.say("said in between")
        time.sleep(0.3)
    with shown.step("two"):
        time.sleep(0.3)
print("the end")
"""
    )
    with Screen(program(code), environment()) as screen:
        screen.wait_for(r"^said in between\n\S one$")
        screen.wait_for(r"^said in between\n\S two$")
        assert screen.wait_until_it_ends() == 0
        assert screen.fresh.splitlines() == ["said in between", "the end"]


def test_a_child_that_writes_there_itself_takes_the_place_of_the_line() -> None:
    code = (
        WORK
        + """
import subprocess
with working("starting"):
    time.sleep(0.3)
    subprocess.run(["echo", "a line of the child's own"])
    time.sleep(0.3)
"""
    )
    with Screen(program(code), environment()) as screen:
        assert screen.wait_until_it_ends() == 0
        assert screen.fresh.splitlines() == ["a line of the child's own"]


@pytest.mark.parametrize("command", ["build", "run"])
def test_ctrl_c_in_a_build_leaves_one_line_that_says_so(
    command: str, hanging_index: socket.socket, tmp_path: Path
) -> None:
    index = f"http://127.0.0.1:{hanging_index.getsockname()[1]}/simple"
    its_own = {
        "LLAMA_HOME": str(tmp_path / "home"), "UV_INDEX_URL": index, "UV_CACHE_DIR": str(tmp_path / "cache"),
        "PIP_CONFIG_FILE": os.devnull, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
    }  # fmt: skip
    with Screen([sys.executable, "-m", "llama_cli.main", "stack", command, "remote"], environment(**its_own)) as screen:
        screen.wait_for("choosing package versions")
        connection, _ = hanging_index.accept()
        with connection:
            screen.type(CTRL_C)
            assert screen.wait_until_it_ends() == 130
    assert screen.fresh.splitlines() == ["error: interrupted"]


@pytest.mark.parametrize("quietly", ["quiet", "json"])
def test_nothing_where_it_is_not_wanted(quietly: str) -> None:
    code = f"{WORK}\nconsole.settings.{quietly} = True\nwith working('one'):\n    time.sleep(0.4)\n"
    with Screen(program(code), environment()) as screen:
        assert screen.wait_until_it_ends() == 0
        assert screen.received == ""


@pytest.mark.parametrize("where", ["pipe", "CI", "dumb"])
def test_lines_of_text_where_nothing_can_be_drawn(where: str) -> None:
    code = f"""{WORK}
from llama_cli.terminal import progress
progress._FIRST_LINE_AFTER_S = progress._LINE_EVERY_S = 0.1
with working("downloading packages", total=100e6, unit="bytes") as step:
    step.done = 50e6
    time.sleep(0.5)
"""
    if where == "pipe":
        done = subprocess.run(program(code), env=environment(), capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout == ""
        said = done.stderr
    else:
        with Screen(program(code), environment(**{"CI": "1"} if where == "CI" else {"TERM": "dumb"})) as screen:
            assert screen.wait_until_it_ends() == 0
            said = screen.received.replace("\r\n", "\n")
    lines = said.splitlines()
    assert len(lines) >= 2 and set(lines) == {"downloading packages 50.0 of 100.0 MB"}


def test_what_is_over_in_a_moment_is_no_line() -> None:
    code = f"""{WORK}
from llama_cli.terminal import progress
progress._LINE_EVERY_S = 0.1
with display() as shown, shown.step("building"):
    time.sleep(2.2)
    for _ in range(4):
        with shown.step("a moment's work"):
            time.sleep(0.2)
    time.sleep(0.3)
"""
    done = subprocess.run(program(code), env=environment(), capture_output=True, text=True, timeout=60, check=True)
    assert {line.split()[0] for line in done.stderr.splitlines()} == {"building"}


def test_a_display_without_work_costs_nothing() -> None:
    code = f"{WORK}\nbegan = time.process_time()\nwith display():\n    time.sleep(1)\nprint(time.process_time()-began)"
    done = subprocess.run(program(code), env=environment(), capture_output=True, text=True, timeout=60, check=True)
    assert float(done.stdout) < 0.02


def test_steps_of_another_process_are_shown_with_their_rate() -> None:
    code = (
        WORK
        + """
import pickle, subprocess
child = '''
import pickle, sys, time
from llama_cli.terminal.progress import told_to
def tell(steps):
    pickle.dump(steps, sys.stdout.buffer); sys.stdout.buffer.flush()
with told_to(tell) as shown, shown.step("copying", total=100e6, unit="bytes") as step:
    for _ in range(150):
        step.done += 0.5e6
        time.sleep(0.01)
'''
told = []
with display() as shown, shown.step("preparing"):
    process = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE)
    while True:
        told.append(pickle.load(process.stdout))
        shown.mirror(told[-1])
        if not told[-1]:
            break
    time.sleep(0.3)
process.wait()
"""
    )
    with Screen(program(code), environment()) as screen:
        screen.wait_for("preparing")
        screen.wait_for(r"copying ━.*of 100\.0 MB, [\d.]+ MB/s")
        screen.wait_for("preparing")
        assert screen.wait_until_it_ends() == 0
        assert screen.fresh == ""
