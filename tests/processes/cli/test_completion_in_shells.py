"""Completion as people meet it: the Tab key in Bash and zsh, and what fish offers; and what an answer loads."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import llama_cli
from llama_cli.completing.scripts import SCRIPTS
from tests.support.light_imports import FORBIDDEN
from tests.support.screen import Screen

TREE = Path(llama_cli.__file__).parents[1]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """`llama` is on the PATH, one server has run, and there are files to complete."""
    programs = tmp_path / "bin"
    programs.mkdir()
    llama = programs / "llama"
    llama.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m llama_cli.entry "$@"\n')
    llama.chmod(0o700)
    home = tmp_path / "home"
    (home / "distributions" / "mine").mkdir(parents=True)
    (home / "distributions" / "mine" / "run.yaml").touch()
    (home / "cache").mkdir()
    (home / "cache" / "models.json").write_text('{"http://one": {"big one;id": "llm"}}')
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "my own run.yaml").touch()
    return {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(TREE),
        "LLAMA_HOME": str(home),
        "HOME": str(tmp_path),
        "PS1": "$ ",
        "PROMPT": "$ ",
        "LC_ALL": "C.UTF-8",
    }


def shell(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


STARTS = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}


@pytest.mark.parametrize("name", STARTS)
def test_tab_completes(name: str, environment: dict[str, str], tmp_path: Path) -> None:
    program, *options = STARTS[name]
    script = tmp_path / "completion"
    script.write_text(SCRIPTS[name])
    with Screen([shell(program), *options], environment, cwd=tmp_path / "here") as screen:
        screen.wait_for_line(r"\$ ")
        if name == "zsh":
            screen.enter("autoload -Uz compinit && compinit -u -D")
            screen.wait_for_line(r"\$ ")
        screen.enter(f"source {script}; bind 'set bell-style none' 2>/dev/null; unsetopt beep 2>/dev/null")
        screen.wait_for_line(r"\$ ")
        for typed, becomes in {
            "llama stack show-prov": "llama stack show-provider ",
            "llama stack run min": "llama stack run mine ",
            "llama stack show-provider remote::olla": "llama stack show-provider remote::ollama ",
            "llama stack run --log-level=err": "llama stack run --log-level=error ",
            "llama stack run mine --dry": "llama stack run mine --dry-run ",
            "llama stack show-provider 'remote::olla": "llama stack show-provider 'remote::ollama' ",
            'llama stack show-provider "remote::olla': 'llama stack show-provider "remote::ollama" ',
            "llama stack validate my": r"llama stack validate my\ own\ run.yaml ",
            "llama stack run --env-file=my": r"llama stack run --env-file=my\ own\ run.yaml ",
            "llama stack exec mine -- llam": "llama stack exec mine -- llama ",
            "llama stack exec -- llama my": r"llama stack exec -- llama my\ own\ run.yaml ",
            "llama chat -m big": r"llama chat -m big\ one\;id ",
            "llama chat -m 'big": "llama chat -m 'big one;id' ",
        }.items():
            screen.type(typed + "\t")
            screen.wait_for_line(r"\$ " + re.escape(becomes))
            screen.type("\x15")  # the line is taken back
            screen.wait_for_line(r"\$ ")
        screen.type("llama stack list-\t\t")
        screen.wait_for(r"list-apis(.|\n)*list-deps(.|\n)*list-providers")


def test_fish_offers_them_with_what_they_are(environment: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "llama.fish"
    script.write_text(SCRIPTS["fish"])
    for line, expected in {
        "llama stack list-a": ["list-apis\tList the APIs, with what each is for"],
        "llama stack run min": ["mine\tbuilt here"],
        "llama stack run --log-level=err": ["--log-level=error"],
        "llama stack show-provider remote::olla": ["remote::ollama\t"],
        'llama stack show-provider "remote::olla': ["remote::ollama\t"],
        "llama stack validate my": ["my own run.yaml"],
        "llama stack run --env-file=my": ["--env-file=my own run.yaml"],
        'llama chat -m "big': ["big one;id"],
        "llama stack exec -- llam": ["llama"],
    }.items():
        done = subprocess.run(
            [shell("fish"), "--no-config", "-c", f"source {script}; complete -C '{line}'"],
            capture_output=True,
            text=True,
            env={"TERM": "xterm", **environment},
            cwd=tmp_path / "here",
            check=True,
            timeout=60,
        )
        offered = done.stdout.splitlines()
        assert any(row.replace("\\", "").startswith(want) for row in offered for want in expected), (line, offered)


def test_powershell_asks_with_the_line() -> None:
    script = SCRIPTS["powershell"]
    assert "Register-ArgumentCompleter -Native -CommandName llama" in script
    assert "__complete powershell $line" in script
    assert '$value.Replace("\'", "\'\'")' in script
    assert script.count("{") == script.count("}") and script.count("(") == script.count(")")


LINES = [["zsh", "stack", "run", ""], ["fish", "stack", "logs", ""], ["zsh", "chat", "-m", ""]]
ODD_LINES = [[], ["zsh"], ["bash"], ["bash", "llama 'a \\"], ["tcsh", "", "-", "--=", "="]]


@pytest.mark.parametrize("home", ["home", "nowhere", "file", "closed", "~nobody/x", "odd"])
def test_nothing_makes_it_stumble(home: str, environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "closed").mkdir(mode=0)
    for name in ("cache/completion.json", "servers/x.json", "distributions/x/.source", "cache/models.json"):
        file = tmp_path / "odd" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"\xff[")
    is_usable = home in ("home", "nowhere", "odd")
    for words in [*LINES, *(ODD_LINES if home == "home" else [])]:
        done = subprocess.run(
            [sys.executable, "-m", "llama_cli.entry", "__complete", *words],
            env=environment | {"LLAMA_HOME": home if home.startswith("~") else str(tmp_path / home)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode in ((0,) if is_usable else (0, 1)), (words, done.stderr)
        assert "Traceback" not in done.stderr and not (is_usable and done.stderr), (words, done.stderr)


def test_an_answer_loads_neither_typer_nor_what_is_heavy(environment: dict[str, str]) -> None:
    script = (
        "import json, sys\n"
        "from llama_cli.entry import main\n"
        "main()\n"
        "sys.stderr.write(json.dumps(sorted(sys.modules)))\n"
    )
    for words in (["stack", "run", ""], ["stack", "logs", ""], ["stack", "show-provider", ""], ["chat", "-m", ""]):
        for _ in range(2):  # the first time, the tree is read from the commands
            done = subprocess.run(
                [sys.executable, "-c", script, "__complete", "zsh", *words],
                capture_output=True,
                text=True,
                env=environment,
                check=True,
                timeout=60,
            )
        loaded = set(json.loads(done.stderr))
        assert loaded & (FORBIDDEN | {"typer", "socket", "subprocess"}) == set(), words
