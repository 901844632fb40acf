"""Units of systemd (systemd.service(5), systemd.exec(5), systemd.syntax(7)).

Hardening is what works where our engine compiles code and a GPU is used; a user's own units get only what needs no
namespaces, which many machines refuse to users.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from llama_cli.exits import ExitCode, Failure
from llama_cli.supervisors.service import PREFIX, Service
from runtime.config.home import expanded

_SYSTEM = Path("/etc/systemd/system")
_BOOTED = Path("/run/systemd/system")
"""There where systemd runs the machine (sd_booted(3))."""
_LIMIT_S = 60.0

_FOR_ALL = (
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "SystemCallArchitectures=native",
    "UMask=0077",
)
_FOR_SYSTEM = (
    "PrivateTmp=yes",
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "CapabilityBoundingSet=",
)


class Systemd:
    """The user's manager, or the machine's."""

    name = "systemd"

    def __init__(self, *, is_system: bool, environment: Mapping[str, str]) -> None:
        self._is_system = is_system
        config = environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME") or expanded("~")) / ".config"
        self._folder = _SYSTEM if is_system else Path(config) / "systemd/user"

    def file(self, label: str) -> Path:
        return self._folder / f"{label}.service"

    def labels(self) -> list[str]:
        """Of the units of ours that are there."""
        return sorted(path.stem for path in self._folder.glob(f"{PREFIX}*.service"))

    def render(self, service: Service) -> str:
        """The unit's text."""
        lines = ["[Unit]", f"Description=Llama Stack: {service.name}"]
        if service.is_system:
            lines += ["After=network-online.target", "Wants=network-online.target"]
        lines += ["", "[Service]", "Type=exec", f"ExecStart={' '.join(_word(word) for word in service.command)}"]
        if service.user is not None:
            lines.append(f"User={service.user}")
        lines += [f"Environment={_quoted(f'{name}={value}')}" for name, value in service.variables.items()]
        if service.env_file is not None:
            lines.append(f"EnvironmentFile={str(service.env_file).replace('%', '%%')}")
        lines += [
            "Restart=on-failure",
            "RestartSec=5",
            # It ends with 143 when it is asked to; with these it would do the same again.
            "SuccessExitStatus=143",
            "RestartPreventExitStatus=2 3 4 5",
            "KillMode=mixed",
            "TimeoutStopSec=60",
            *_FOR_ALL,
        ]
        if service.is_system:
            lines += _FOR_SYSTEM
            lines.append(f"ReadWritePaths={' '.join(_quoted(f'-{path}') for path in (service.home, *service.written))}")
        wanted_by = "multi-user.target" if service.is_system else "default.target"
        return "\n".join([*lines, "", "[Install]", f"WantedBy={wanted_by}"]) + "\n"

    def check(self, label: str, text: str) -> str | None:
        """What systemd's own checker says against a unit; None where it is content, or not there."""
        tool = shutil.which("systemd-analyze")
        if tool is None:
            return None
        with tempfile.TemporaryDirectory(prefix="llama-service-") as folder:
            unit = Path(folder, f"{label}.service")
            unit.write_text(text, encoding="utf-8")
            scope = "--system" if self._is_system else "--user"
            answer = self._run([tool, "verify", "--man=no", scope, str(unit)], check=False)
        ours = [line for line in answer.stderr.splitlines() if unit.name in line]
        return "; ".join(ours) or None

    def require(self) -> None:
        """Raises Failure where systemd does not run this machine."""
        if not _BOOTED.exists():
            raise Failure(
                "this machine is not run by systemd",
                hint="let what runs it start `llama stack run NAME`, which stays in front, logs to standard error and "
                "ends on SIGTERM; `--print` shows the unit",
            )

    def reload(self) -> None:
        """Let it read the units again, where it runs."""
        if _BOOTED.exists():
            self._systemctl("daemon-reload")

    def start(self, label: str) -> None:
        """Now, and at each boot."""
        self._systemctl("enable", f"{label}.service")
        self._systemctl("restart", f"{label}.service")

    def stop(self, label: str) -> None:
        """Now, and no start at boot."""
        if _BOOTED.exists():
            self._systemctl("disable", "--now", f"{label}.service", check=False)

    def state(self, label: str) -> dict[str, str | int | bool | None]:
        """state: systemd's word (`active`, `failed`, ...), or `unknown` where it does not run; enabled; pid."""
        if not _BOOTED.exists():
            return {"state": "unknown", "enabled": False, "pid": None}
        answer = self._systemctl("show", f"{label}.service", "-p", "ActiveState,UnitFileState,MainPID", check=False)
        facts = dict(line.split("=", 1) for line in answer.stdout.splitlines() if "=" in line)
        pid = int(facts.get("MainPID") or 0)
        is_enabled = facts.get("UnitFileState") == "enabled"
        return {"state": facts.get("ActiveState") or "unknown", "enabled": is_enabled, "pid": pid or None}

    def hint_after_start(self) -> str | None:
        """What a user has to do besides."""
        hint = "`loginctl enable-linger` lets it run before you log in, and after you leave"
        return None if self._is_system else hint

    def _systemctl(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        scope = [] if self._is_system else ["--user"]
        return self._run(["systemctl", *scope, *words], check=check)

    def _run(self, command: list[str], *, check: bool) -> subprocess.CompletedProcess[str]:
        try:
            # It keeps our standard input: on a terminal it may ask there for a password (polkit).
            answer = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=_LIMIT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failure(f"`{' '.join(command)}` does not work: {error}") from error
        if check and answer.returncode:
            said = (answer.stderr.strip().splitlines() or [f"exit code {answer.returncode}"])[0]
            is_denied = "denied" in said.lower() or "authentication" in said.lower()
            hint = "with `sudo` for the machine, without `--system` for you" if is_denied else None
            code = ExitCode.ACCESS if is_denied else ExitCode.FAILED
            raise Failure(f"`{' '.join(command)}`: {said}", hint=hint, code=code)
        return answer


def _word(text: str) -> str:
    """One word of a command line: `$` and `%` have a meaning there."""
    return _quoted(text.replace("$", "$$"))


def _quoted(text: str) -> str:
    text = text.replace("%", "%%")
    if text and not any(character in " \t\n\"'\\;" for character in text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
