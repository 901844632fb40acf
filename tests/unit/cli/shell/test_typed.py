"""What a user is told to type works where it is read: with the way to `llama` where that is not on PATH."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llama_cli.exits import Failure
from llama_cli.terminal import console
from llama_cli.terminal.typed import _program, as_typed, typed
from tests.support.command_runner import Cli
from tests.support.terminal import as_terminals

Place = Callable[[str], Path]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Makes a `llama` at a place below the test's folder, as the one that runs; nothing else is on PATH."""

    def at(place: str) -> Path:
        program = tmp_path / place
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        monkeypatch.setattr("sys.argv", [str(program), "stack", "run"])
        return program

    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.chdir(tmp_path)
    _program.cache_clear()
    yield at
    _program.cache_clear()


def test_what_is_on_the_path_is_typed_as_it_is(installed: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(installed("clone/.venv/bin/llama").parent))
    assert typed('llama chat "Hello"') == 'llama chat "Hello"'


def test_a_link_on_the_path_is_it_too(installed: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = installed("clone/.venv/bin/llama")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/llama").symlink_to(program)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert typed("llama") == "llama"


def test_another_llama_on_the_path_is_not(installed: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    other = installed("other/llama")
    installed("clone/.venv/bin/llama")
    monkeypatch.setenv("PATH", str(other.parent))
    assert typed("llama stack ps") == "clone/.venv/bin/llama stack ps"


def test_llama_alone_between_backticks_is_a_name(installed: Place) -> None:
    installed("clone/.venv/bin/llama")
    said = as_typed("`llama` is not on the PATH: `x` and `llama stack ps`")
    assert said == "`llama` is not on the PATH: `x` and `clone/.venv/bin/llama stack ps`"


def test_what_is_in_this_folder_needs_its_dot(installed: Place) -> None:
    installed("llama")
    assert typed("llama stack ps") == "./llama stack ps"


def test_a_place_that_is_nearer_from_the_root_is_typed_from_there(
    installed: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = installed("llama")
    deep = tmp_path.joinpath(*"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz")
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert typed("llama stack ps") == f"{program} stack ps"


def test_blanks_on_the_way_are_quoted(installed: Place) -> None:
    installed("a clone/.venv/bin/llama")
    assert typed("llama stack ps") == "'a clone/.venv/bin/llama' stack ps"


def test_a_module_or_a_test_is_no_program(monkeypatch: pytest.MonkeyPatch, installed: Place) -> None:
    monkeypatch.setattr("sys.argv", ["/somewhere/llama_cli/main.py"])
    assert typed("llama stack ps") == "llama stack ps"


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("llama stack stop a && llama stack run a", "{0} stack stop a && {0} stack run a"),
        ("LLAMA_TORCH=cuda llama stack build starter", "LLAMA_TORCH=cuda {0} stack build starter"),
        ("pdftotext a.pdf - | llama chat --file -", "pdftotext a.pdf - | {0} chat --file -"),
        ('eval "$(llama connect aider --print-env)"', 'eval "$({0} connect aider --print-env)"'),
        ("llama stack run llama --model 'my llama'", "{0} stack run llama --model 'my llama'"),
        ("llama-server --port 1", "llama-server --port 1"),
    ],
)
def test_wherever_a_shell_takes_it_for_a_command(installed: Place, command: str, shown: str) -> None:
    installed(".venv/bin/llama")
    assert typed(command) == shown.format(".venv/bin/llama")


def test_all_that_is_said_beside_the_data_is_typed_so(
    installed: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    as_terminals(monkeypatch)
    installed(".venv/bin/llama")
    console.say("start one with `llama stack run starter`, or see `llama`; `llama-3` and `x llama y` are no commands")
    console.next_step("llama stack ps")
    console.failure(Failure("it failed", hint="see `llama stack logs starter`"))
    assert capsys.readouterr().err == (
        "start one with `.venv/bin/llama stack run starter`, or see `llama`; `llama-3` and `x llama y` are "
        "no commands\nnext: .venv/bin/llama stack ps\n"
        "error: it failed\n\nhint: see `.venv/bin/llama stack logs starter`\n"
    )


def test_also_in_a_document(cli: Cli, installed: Place) -> None:
    installed(".venv/bin/llama")
    assert "`.venv/bin/llama stack ps --all`" in cli("stack", "status", "nope", "--json").json()["error"]["hint"]


def test_what_a_model_says_is_left_alone(installed: Place, capsys: pytest.CaptureFixture[str]) -> None:
    installed(".venv/bin/llama")
    console.dimly("I would type `llama stack ps`")
    assert capsys.readouterr().err == "I would type `llama stack ps`\n"
