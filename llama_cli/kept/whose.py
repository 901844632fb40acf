"""Whose storage, or whose providers, are meant: those of a server, by its record, or of a distribution which is built;
with the interpreter that has their packages. Opens nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from llama_cli.exits import Failure
from llama_cli.options import read_once
from llama_cli.packages.source import Choice, locate
from llama_cli.servers.records import Record, records
from llama_cli.servers.variables import read_variables
from runtime.config.home import distribution_dir, expanded
from runtime.errors import NotFound


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Whose storage it is. name: the server's or the distribution's. python: its interpreter. run_yaml: its run config.
    state_dir: what relative paths in that are relative to. environment: the variables that its run config is read with.
    """

    name: str
    python: Path
    run_yaml: Path
    state_dir: Path
    environment: Mapping[str, str] = field(repr=False)


def owner_of(
    target: str,
    state: str | None,
    *,
    env: Sequence[str] | None,
    env_file: str | None,
    read: str | None = None,
    why: str = "what it keeps is read",
) -> Owner:
    """What a user means by `DISTRO|NAME|FILE`. state: another state folder than its own. env, env_file: variables
    beside ours. read: what else is read, so that at most one of all is standard input. why: what takes its packages.

    A server that runs comes before a distribution of that name, since it can have a folder of its own; one that has
    ended after it. Raises NotFound with close names, Failure where it is not built or the variables cannot be read.
    """
    read_once(target, env_file, read)
    environment, _ = read_variables(env or [], env_file)
    server = next((record for record in records() if record.id == target), None)
    if server is not None and server.alive:
        found = _of_server(server, environment)
    else:
        try:
            found = _of_distribution(target, environment)
        except NotFound:
            if server is None:
                raise
            found = _of_server(server, environment)
    if not (found.python.exists() and found.run_yaml.exists()):
        hint = f"build it: `llama stack build {target}`"
        raise Failure(f"`{found.name}` is not built, and {why} by its own packages", hint=hint)
    return found if state is None else replace(found, state_dir=expanded(state).absolute())


def _of_distribution(target: str, environment: Mapping[str, str]) -> Owner:
    source = locate(Choice(target=target), environment)
    return Owner(
        name=source.name,
        python=_python_of(source.folder),
        run_yaml=source.run_yaml,
        state_dir=source.state_dir,
        environment=environment,
    )


def _of_server(server: Record, environment: Mapping[str, str]) -> Owner:
    """Raises Failure where its record, of another version or damaged, does not say enough."""
    if server.state_dir is None:
        hint = f"name it with `--state DIR`, and the distribution: `{server.name}`"
        raise Failure(f"the record of `{server.id}` does not say where it keeps its state", hint=hint)
    folder = distribution_dir(server.name, environment)
    return Owner(
        name=server.id,
        python=Path(server.python) if server.python else _python_of(folder),
        run_yaml=Path(server.run_config),
        state_dir=Path(server.state_dir),
        environment=environment,
    )


def _python_of(folder: Path) -> Path:
    return folder / ".venv" / "bin" / "python"
