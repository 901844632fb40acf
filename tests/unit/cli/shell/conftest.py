"""The command line in a Llama home of its own, as if in a pipe."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_runner import Cli


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
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
    return Cli(home, capsys, monkeypatch)
