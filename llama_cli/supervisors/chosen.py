"""Which supervisor a machine has, and which services of ours it knows."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from llama_cli.exits import ExitCode, Failure
from llama_cli.supervisors.launchd import Launchd
from llama_cli.supervisors.service import PREFIX
from llama_cli.supervisors.systemd import Systemd
from runtime.similar import did_you_mean

Supervisor = Systemd | Launchd


def supervisor(*, is_system: bool, environment: Mapping[str, str]) -> Supervisor:
    """launchd on macOS, systemd elsewhere, whether or not it runs this machine."""
    kind = Launchd if sys.platform == "darwin" else Systemd
    return kind(is_system=is_system, environment=environment)


def installed(found: Supervisor, name: str | None) -> list[str]:
    """The labels of the service of this name, or of all. Raises Failure (USAGE), with close names, for one that is not
    there.
    """
    labels = found.labels()
    if name is None:
        return labels
    label = name if name.startswith(PREFIX) else f"{PREFIX}{name}"
    if label not in labels:
        known = [known.removeprefix(PREFIX) for known in labels]
        hint = did_you_mean(name, known) or "`llama service status` lists them"
        raise Failure(f"there is no service `{name}`", hint=hint, code=ExitCode.USAGE)
    return [label]
