"""The units that `llama service` writes, as systemd itself reads them, and one installed where a manager answers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from llama_cli.exits import Failure
from llama_cli.supervisors import systemd
from llama_cli.supervisors.launchd import Launchd
from tests.support.command_runner import Cli


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not there")
@pytest.mark.parametrize("scope", [[], ["--system"]], ids=["user", "system"])
def test_systemd_finds_nothing_wrong_with_a_unit(
    scope: list[str], cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    text = cli("service", "install", "starter", "--print", *scope, "--", "--alias", "a b=x%y$z").out
    unit = tmp_path / "llama-stack-starter.service"
    tool = ["systemd-analyze", "verify", "--man=no", "--system" if scope else "--user", str(unit)]

    def complaints(text: str) -> list[str]:
        unit.write_text(text)
        answer = subprocess.run(tool, capture_output=True, text=True, timeout=30, check=False)
        return [line for line in answer.stderr.splitlines() if unit.name in line]

    assert complaints(text) == []
    assert complaints(text.replace("Restart=on-failure", "Restart=sometimes")) != [], "it reads what we give it"


def test_a_unit_is_installed_started_and_left_as_it_is_the_second_time(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A manager that notes what it is told stands for systemd's own, which containers do not have."""
    told, tools = tmp_path / "told", tmp_path / "tools"
    tools.mkdir()
    (tools / "systemctl").write_text(f'#!/bin/sh\necho "$@" >> {told}\n')
    (tools / "systemctl").chmod(0o700)
    monkeypatch.setenv("PATH", str(tools), prepend=":")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(systemd, "_BOOTED", tmp_path)
    first = cli("service", "install", "starter", "--now", "--json").json()
    assert (first["written"], first["started"]) == (True, True)
    assert Path(first["file"]).read_text() == first["text"]
    again = cli("service", "install", "starter", "--json").json()
    assert (again["changed"], again["written"], again["started"]) == (False, False, False)
    unit = "llama-stack-starter.service"
    start = [f"--user enable {unit}", f"--user restart {unit}"]
    assert told.read_text().splitlines() == ["--user daemon-reload", *start, "--user daemon-reload"]
    assert cli("service", "uninstall", "starter", "--yes", "--json").json()["result"] == "removed"
    assert not Path(first["file"]).exists()
    assert f"--user disable --now {unit}" in told.read_text()


def test_what_a_manager_writes_is_text_whatever_its_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "systemctl").write_text("#!/bin/sh\nprintf 'caf\\351\\n' >&2\nexit 1\n")
    (tmp_path / "launchctl").symlink_to(tmp_path / "systemctl")
    (tmp_path / "systemctl").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for manager in (systemd.Systemd(is_system=False, environment={}), Launchd(is_system=False, environment={})):
        with pytest.raises(Failure, match="caf\ufffd"):
            manager.start("llama-stack-x")
