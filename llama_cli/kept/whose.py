"""Whose storage is meant: that of a distribution which is built; with the interpreter that can read it. Opens nothing
of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llama_cli.exits import Failure
from llama_cli.options import read_once
from llama_cli.packages.source import Choice, locate
from llama_cli.servers.variables import read_variables
from runtime.config.home import expanded


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Whose storage it is. name: the distribution's. python: its interpreter. run_yaml: its run config. state_dir:
    what relative paths in that are relative to. environment: the variables that its run config is read with.
    """

    name: str
    python: Path
    run_yaml: Path
    state_dir: Path
    environment: Mapping[str, str] = field(repr=False)


def owner_of(
    target: str, state: str | None, *, env: Sequence[str] | None, env_file: str | None, read: str | None = None
) -> Owner:
    """What a user means by `DISTRO|NAME|FILE`. state: another state folder than its usual one. env, env_file: variables
    beside ours. read: what else is read, so that at most one of all is standard input.

    Raises NotFound with close names, Failure where it is not built or the variables cannot be read.
    """
    read_once(target, env_file, read)
    environment, _ = read_variables(env or [], env_file)
    source = locate(Choice(target=target), environment)
    python = source.folder / ".venv" / "bin" / "python"
    if not (python.exists() and source.run_yaml.exists()):
        hint = f"build it: `llama stack build {target}`"
        raise Failure(f"`{source.name}` is not built, and what it keeps is read by its own packages", hint=hint)
    folder = expanded(state).absolute() if state is not None else source.state_dir
    return Owner(name=source.name, python=python, run_yaml=source.run_yaml, state_dir=folder, environment=environment)
