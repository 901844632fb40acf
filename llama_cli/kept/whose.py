"""Whose storage is meant: that of a distribution which is built; with the interpreter that can read it. Opens nothing
of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llama_cli.exits import Failure
from llama_cli.packages.source import Choice, locate
from runtime.config.home import expanded


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Whose storage it is. name: the distribution's. python: its interpreter. run_yaml: its run config. state_dir:
    what relative paths in that are relative to.
    """

    name: str
    python: Path
    run_yaml: Path
    state_dir: Path


def owner_of(target: str, state: str | None, environment: Mapping[str, str]) -> Owner:
    """What a user means by `DISTRO|NAME|FILE`. state: another state folder than its usual one.

    Raises NotFound with close names, Failure where it is not built.
    """
    source = locate(Choice(target=target), environment)
    python = source.folder / ".venv" / "bin" / "python"
    if not (python.exists() and source.run_yaml.exists()):
        hint = f"build it: `llama stack build {target}`"
        raise Failure(f"`{source.name}` is not built, and what it keeps is read by its own packages", hint=hint)
    folder = expanded(state).absolute() if state is not None else source.state_dir
    return Owner(name=source.name, python=python, run_yaml=source.run_yaml, state_dir=folder)
