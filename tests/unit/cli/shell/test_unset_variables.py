"""Variables that are unset while something is built: a note where only the server needs them, an end where we do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

WAITING = "distro_name: waiting\nproviders: {}\nserver:\n  port: ${env.MY_PORT}\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MY_PORT", raising=False)
    path = tmp_path / "run.yaml"
    path.write_text(WAITING)
    return path


@pytest.mark.parametrize("words", [["build", "--no-install"], ["build", "--print-deps"], ["list-deps"]])
def test_what_only_the_server_needs_is_noted(words: list[str], cli: Any, file: Path) -> None:
    result = cli("stack", *words, *(["--config"] if words[0] == "build" else []), str(file))
    assert result.code == 0, result.err
    assert f"{file} needs `MY_PORT` when it runs (`server.port`, line 4)" in result.err


@pytest.mark.parametrize("words", [["run", "--dry-run"], ["show"]])
def test_a_server_needs_it_now(words: list[str], cli: Any, file: Path) -> None:
    result = cli("stack", *words, str(file))
    assert (result.code, "run.yaml:4: server.port: `MY_PORT` is not set" in result.err) == (3, True)


@pytest.mark.parametrize("words", [["run", "--dry-run"], ["show"]])
def test_it_is_reported_together_with_what_else_is_wrong(words: list[str], cli: Any, file: Path) -> None:
    file.write_text(WAITING + "surver: {}\n")
    result = cli("stack", *words, str(file))
    assert (result.code, "the run config has 2 problems" in result.err) == (3, True)
    assert "`MY_PORT` is not set" in result.err and "did you mean `server`?" in result.err


def test_a_name_that_is_unset_is_given_on_the_command_line(cli: Any, file: Path) -> None:
    file.write_text("distro_name: ${env.MY_PORT}\nproviders: {}\n")
    refused = cli("stack", "build", "--no-install", "--config", str(file))
    assert (refused.code, "`MY_PORT`, which names the distribution, is not set" in refused.err) == (3, True)
    assert cli("stack", "build", "--no-install", "--name", "mine", "--config", str(file)).code == 0
