"""`llama stack init` on a terminal: it asks for what was not given, and asks again where the answer cannot be."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from runtime.config.loading import parse_run_config
from tests.support.screen import CTRL_D, Screen


def on_a_terminal(folder: Path, *arguments: str) -> Screen:
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    environment |= {"LLAMA_HOME": str(folder / "home")}
    return Screen([sys.executable, "-m", "llama_cli.main", "stack", "init", *arguments], environment, cwd=folder)


def test_what_was_not_given_is_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    with on_a_terminal(folder) as screen:
        screen.wait_for(r"^Template \[starter\]:$")
        screen.enter("startr")
        screen.wait_for(r"did you mean `starter`.*\nTemplate \[starter\]:$")
        screen.enter("")
        screen.wait_for(r"^Name \[project\]:$")
        screen.enter("mine")
        screen.wait_for(r"^Model \[SmolLM2-135M-Instruct\]:$")
        screen.enter("")
        screen.wait_for(r"^Port \[8321\]:$")
        screen.enter("99999")
        screen.wait_for(r"range.*\nPort \[8321\]:$")
        screen.enter("9000")
        screen.wait_for(r"^next: llama stack run run.yaml")
    run = parse_run_config((folder / "run.yaml").read_text(), env={})
    assert (run.distro_name, run.server.port) == ("mine", 9000)


def test_what_was_given_is_not_asked_for(tmp_path: Path) -> None:
    with on_a_terminal(tmp_path, "mine", "--template", "remote", "--port", "9000") as screen:
        screen.wait_for(r"^next: llama stack env run.yaml")
        assert "[" not in screen.fresh.splitlines()[0]


def test_an_option_that_cannot_be_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    with on_a_terminal(tmp_path, "--template", "startr") as screen:
        screen.wait_for(r"^error: there is no template `startr`")


def test_a_file_that_came_meanwhile_stays(tmp_path: Path) -> None:
    with on_a_terminal(tmp_path, "mine", "--template", "remote") as screen:
        screen.wait_for(r"^Port \[8321\]:$")
        (tmp_path / "run.yaml").write_text("mine: true\n")
        screen.enter("")
        screen.wait_for(r"^error: `run.yaml` is there already")
    assert (tmp_path / "run.yaml").read_text() == "mine: true\n"


def test_no_answer_writes_nothing(tmp_path: Path) -> None:
    with on_a_terminal(tmp_path, "mine") as screen:
        screen.wait_for(r"^Template \[starter\]:$")
        screen.type(CTRL_D)
        screen.wait_for(r"^error: nobody answers what the template is")
        assert screen.process.wait(30) == 2
    assert not (tmp_path / "run.yaml").exists()
