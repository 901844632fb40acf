"""Property lists of launchd (launchd.plist(5)), for macOS. It reads no file of variables, so the command does."""

from __future__ import annotations

import os
import plistlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llama_cli.exits import Failure
from llama_cli.programs import answer_of
from llama_cli.supervisors.service import PREFIX, Service
from runtime.config.home import expanded

_LIMIT_S = 60.0


class Launchd:
    """The user's agents, or the machine's daemons."""

    name = "launchd"

    def __init__(self, *, is_system: bool, environment: Mapping[str, str]) -> None:
        home = Path(environment.get("HOME") or expanded("~"))
        self._folder = Path("/Library/LaunchDaemons") if is_system else home / "Library/LaunchAgents"
        self._domain = "system" if is_system else f"gui/{os.getuid()}"

    def file(self, label: str) -> Path:
        return self._folder / f"{label}.plist"

    def labels(self) -> list[str]:
        """Of the property lists of ours that are there."""
        return sorted(path.stem for path in self._folder.glob(f"{PREFIX}*.plist"))

    def render(self, service: Service) -> str:
        """The property list's text."""
        command = list(service.command)
        if service.env_file is not None:
            command += ["--env-file", str(service.env_file)]
        log = str(service.home / "logs" / f"{service.label}.log")
        facts: dict[str, Any] = {
            "Label": service.label,
            "ProgramArguments": command,
            "EnvironmentVariables": dict(service.variables),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": 10,
            "ExitTimeOut": 60,
            "ProcessType": "Interactive",
            "Umask": 0o077,
            "StandardOutPath": log,
            "StandardErrorPath": log,
        }
        if service.user is not None:
            facts["UserName"] = service.user
        return plistlib.dumps(facts, sort_keys=False).decode()

    def check(self, label: str, text: str) -> str | None:
        """None: what we render is a property list."""
        return None

    def require(self) -> None:
        """Raises Failure where launchd does not run this machine."""
        if sys.platform != "darwin":
            raise Failure("this machine is not run by launchd")

    def reload(self) -> None:
        """It reads a list when it is started."""

    def start(self, label: str) -> None:
        """Now, and at each login or boot."""
        self._launchctl("bootout", f"{self._domain}/{label}", check=False)
        self._launchctl("bootstrap", self._domain, str(self.file(label)))

    def stop(self, label: str) -> None:
        """Now, and no start at login or boot."""
        self._launchctl("bootout", f"{self._domain}/{label}", check=False)

    def state(self, label: str) -> dict[str, str | int | bool | None]:
        """state: launchd's word (`running`, `waiting`, ...), or `inactive` where it is not loaded; enabled; pid."""
        answer = self._launchctl("print", f"{self._domain}/{label}", check=False)
        facts = dict(line.strip().split(" = ", 1) for line in answer.stdout.splitlines() if " = " in line)
        pid = facts.get("pid", "")
        is_loaded = answer.returncode == 0
        state = facts.get("state", "unknown") if is_loaded else "inactive"
        return {"state": state, "enabled": is_loaded, "pid": int(pid) if pid.isdecimal() else None}

    def hint_after_start(self) -> str | None:
        """What a user has to do besides: nothing."""
        return None

    def _launchctl(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        try:
            answer = answer_of(["launchctl", *words], limit_s=_LIMIT_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failure(f"`launchctl {' '.join(words)}` does not work: {error}") from error
        if check and answer.returncode:
            said = (answer.stderr.strip().splitlines() or [f"exit code {answer.returncode}"])[0]
            raise Failure(f"`launchctl {' '.join(words)}`: {said}")
        return answer
