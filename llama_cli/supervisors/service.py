"""A distribution as a service: what is run, with what, and what it is called. Knows no supervisor.

Secrets stand in a file of the user's, which a supervisor reads at each start; never in what we write.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_cli.exits import ExitCode, Failure
from runtime.config.home import HOME_VARIABLES, expanded, llama_home, private_folder
from runtime.config.text import as_meant, is_stream, read_text, shown
from runtime.redaction import redact_text

PREFIX = "llama-stack-"
"""How the names of all our services begin, for a supervisor."""

_NOT_HERE = {
    "--detach": "a supervisor stays with what it starts",
    "-d": "a supervisor stays with what it starts",
    "--dry-run": "it is an option of this command",
    "--json": "it says nothing to anybody",
    "--env": "what is given so would stand in a file that others can read: use `--env-file`",
    "--env-file": "give it before `--`",
}
_INHERITED = (
    *("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "all_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "UV_CACHE_DIR", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL"),
    *("UV_INDEX", "UV_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONFIG_FILE"),
)
"""Taken over where they are set: how packages and vendors are reached."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """name: of the distribution. command: what runs it in front, from any folder. variables: none of them a secret;
    left_out: names of those that hold one. env_file: absolute. home: the Llama home; written: other folders that it
    writes. is_system: for the machine, not for one user; user: as whom it runs then.
    """

    name: str
    command: tuple[str, ...]
    variables: Mapping[str, str]
    left_out: tuple[str, ...] = ()
    home: Path
    written: tuple[Path, ...] = ()
    env_file: Path | None = None
    is_system: bool = False
    user: str | None = None

    @property
    def label(self) -> str:
        return f"{PREFIX}{self.name}"

    def make_home(self) -> None:
        """Make its home, where it is not there yet, for the user as whom it runs."""
        new = [folder for folder in (self.home, self.home / "logs") if not folder.exists()]
        private_folder(self.home / "logs")
        if self.user is not None and os.geteuid() == 0:
            for folder in new:
                shutil.chown(folder, self.user)


def service_of(
    target: str, options: Sequence[str], *, env_file: str | None, is_system: bool, environment: Mapping[str, str]
) -> Service:
    """What `llama stack run TARGET OPTIONS` is as a service: paths are those of the current folder, which a supervisor
    does not share. Raises Failure (USAGE) for options that it cannot have, NotFound for a target that is nothing,
    ConfigInvalid for one that no server could be started with, and what reading the file of variables raises.
    """
    from llama_cli.checkup.machine import uv_cache
    from llama_cli.packages.source import Choice, locate
    from runtime.config.lookup import resolve_config

    if is_stream(as_meant(target)):
        message = f"{shown(target)} is there once, and a service reads its run config at each start"
        raise Failure(message, hint="save it in a file", code=ExitCode.USAGE)
    chosen = _checked_options(target, options)
    if is_system:
        environment = _of_who_called_sudo(environment)
    is_file = resolve_config(target, environment) == expanded(target)  # and no name, whatever it looks like
    meant = _absolute(target) if is_file else target
    name = locate(Choice(target=target, providers=chosen["providers"]), environment).name
    home = llama_home(environment)
    variables = {HOME_VARIABLES[0]: str(home)}
    file = _checked(env_file) if env_file is not None else None
    in_file = _names_in(file) if file is not None else set()
    inherited = {name: value for name in _INHERITED if (value := environment.get(name)) and name not in in_file}
    safe = {name: value for name, value in inherited.items() if redact_text(value) == value}
    return Service(
        name=name,
        command=(*_llama(), "stack", "run", meant, *_from_any_folder(options)),
        variables={**variables, **safe},
        left_out=tuple(name for name in inherited if name not in safe),
        home=home,
        written=(uv_cache(environment), *((Path(_absolute(state)),) if (state := chosen["state"]) else ())),
        env_file=file,
        is_system=is_system,
        user=(environment.get("SUDO_USER") or environment.get("USER")) if is_system else None,
    )


def _of_who_called_sudo(environment: Mapping[str, str]) -> Mapping[str, str]:
    """The service runs as that user, who has another home than root."""
    user = environment.get("SUDO_USER")
    if not user or any(environment.get(name) for name in HOME_VARIABLES):
        return environment
    try:
        home = pwd.getpwnam(user).pw_dir
    except KeyError:
        return environment
    return {**environment, "HOME": home, HOME_VARIABLES[0]: str(Path(home, ".llama"))}


def _absolute(path: str) -> str:
    """Of a link its own place, since it may lead elsewhere later; what is read or written once as it is."""
    return path if is_stream(as_meant(path)) else os.path.abspath(expanded(path))  # noqa: PTH100


def _model(given: str) -> str:
    """A model's path; its name as it is."""
    return _absolute(given) if os.path.exists(expanded(given)) else given  # noqa: PTH110  # `Path.exists` raises for what is too long


_PATHS = {"--model": _model, "--state": _absolute, "--ready-file": _absolute}
"""Options of `llama stack run` whose values can be paths, and what those are in any folder."""


def _from_any_folder(options: Sequence[str]) -> list[str]:
    """Options that mean the same wherever they are read."""
    words: list[str] = []
    for word in options:
        before = words[-1] if words else ""
        name, equals, value = word.partition("=")
        if before in _PATHS:
            words.append(_PATHS[before](word))
        elif equals and name in _PATHS:
            words.append(f"{name}={_PATHS[name](value)}")
        else:
            words.append(word)
    return words


def _llama() -> list[str]:
    """This command line, by a path that stays."""
    script = Path(sys.executable).parent / "llama"
    return [str(script)] if script.exists() else [sys.executable, "-m", "llama_cli.main"]


def _checked_options(target: str, options: Sequence[str]) -> dict[str, Any]:
    """What they say, by parameter, as `llama stack run` would read them."""
    import typer

    from llama_cli.commands import load

    for option in (word.partition("=")[0] for word in options):
        if (why := _NOT_HERE.get(option)) is not None:
            raise Failure(f"`{option}` cannot be an option of a service", hint=why, code=ExitCode.USAGE)
    try:
        return load("run", "llama_cli.stack.run").make_context("llama stack run", [target, *options]).params
    except typer.TyperException as error:
        hint = "behind `--` stand options of `llama stack run`"
        raise Failure(f"`llama stack run`: {error.format_message()}", hint=hint, code=ExitCode.USAGE) from error


def _names_in(env_file: Path) -> set[str]:
    lines = read_text(env_file, what="environment").splitlines()
    return {line.partition("=")[0].strip() for line in lines if not line.lstrip().startswith(("#", ";"))}


def _checked(env_file: str) -> Path:
    """The absolute path of a file that a supervisor reads as we do: `NAME=VALUE` lines, comments, nothing else."""
    path = Path(_absolute(env_file))
    if is_stream(env_file):
        message = "a service reads it at each start, and this is there once"
        raise Failure.of_option("--env-file", message, hint="name a file")
    for number, line in enumerate(read_text(path, what="environment").splitlines(), start=1):
        if line.strip() and not re.match(r"\s*([#;]|[A-Za-z_][A-Za-z0-9_]*=)", line):
            hint = "write `NAME=VALUE`, without `export` and without blanks around `=`"
            raise Failure.of_option("--env-file", f"a supervisor cannot read line {number} of `{path}`", hint=hint)
    return path
