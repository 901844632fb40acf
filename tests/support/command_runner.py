"""Runs command lines in this process, in a Llama home of their own, as if in a pipe."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from llama_cli.main import run
from llama_cli.terminal import console
from tests.support.terminal import as_terminals


class Result(NamedTuple):
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


class Cli:
    """Call it with arguments. home: the Llama home."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = home
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *arguments: str, stdin: str = "") -> Result:
        self._monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        self._capsys.readouterr()
        code = run(arguments)
        out, err = self._capsys.readouterr()
        return Result(int(code), out, err)

    def at_terminal(self, *arguments: str) -> Result:
        """The same for someone who reads it on a terminal that cannot draw."""
        with self._monkeypatch.context() as patch:
            as_terminals(patch)
            return self(*arguments)


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    for name in (
        "NO_COLOR",
        "FORCE_COLOR",
        "CI",
        "LLAMA_STACK_PORT",
        "OGX_PORT",
        "LLAMA_STACK_URL",
        "LLAMA_STACK_API_KEY",
    ):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    monkeypatch.setenv("LLAMA_HOME", str(home))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    yield Cli(home, capsys, monkeypatch)
    console.configure([])  # a command line configures the process that it has to itself
