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

from llama_cli.exits import ExitCode, Failure
from runtime.config.home import HOME_VARIABLES, expanded, is_distribution_name, llama_home, private_folder
from runtime.config.redaction import redact_text
from runtime.config.text import as_meant, is_stream, read_text, shown

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
    """name: of the distribution. command: what runs it in front. variables: none of them a secret; left_out: names of
    those that hold one. env_file: absolute. home: the Llama home; written: other folders that it writes. is_system: for
    the machine, not for one user; user: as whom it runs then.
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
    """What `llama stack run TARGET OPTIONS` is as a service. Raises Failure (USAGE) for options that it cannot have,
    NotFound for a target that is nothing, and what reading the file of variables raises.
    """
    from llama_cli.checkup.machine import uv_cache
    from runtime.config.lookup import resolve_config

    if is_stream(as_meant(target)):
        message = f"{shown(target)} is there once, and a service reads its run config at each start"
        raise Failure(message, hint="save it in a file", code=ExitCode.USAGE)
    _check_options(target, options)
    if is_system:
        environment = _of_who_called_sudo(environment)
    found = resolve_config(target, environment)
    meant = target if isinstance(found, str) or is_distribution_name(target) else str(found.absolute())
    name = target if is_distribution_name(target) else re.sub(r"[^A-Za-z0-9._-]+", "-", _stem(target)).strip("-.")
    home = llama_home(environment)
    variables = {HOME_VARIABLES[0]: str(home)}
    file = _checked(env_file) if env_file is not None else None
    in_file = _names_in(file) if file is not None else set()
    inherited = {name: value for name in _INHERITED if (value := environment.get(name)) and name not in in_file}
    safe = {name: value for name, value in inherited.items() if redact_text(value) == value}
    return Service(
        name=name,
        command=(*_llama(), "stack", "run", meant, *options),
        variables={**variables, **safe},
        left_out=tuple(name for name in inherited if name not in safe),
        home=home,
        written=(uv_cache(environment),),
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


def _stem(target: str) -> str:
    """What a file is called, without what files are called for."""
    return Path(target).stem.removesuffix("-run") or "stack"


def _llama() -> list[str]:
    """This command line, by a path that stays."""
    script = Path(sys.executable).parent / "llama"
    return [str(script)] if script.exists() else [sys.executable, "-m", "llama_cli.main"]


def _check_options(target: str, options: Sequence[str]) -> None:
    """As `llama stack run` would."""
    import typer

    from llama_cli.commands import load

    for option in (word.partition("=")[0] for word in options):
        if (why := _NOT_HERE.get(option)) is not None:
            raise Failure(f"`{option}` cannot be an option of a service", hint=why, code=ExitCode.USAGE)
    try:
        load("run", "llama_cli.stack.run").make_context("llama stack run", [target, *options])
    except typer.TyperException as error:
        hint = "behind `--` stand options of `llama stack run`"
        raise Failure(f"`llama stack run`: {error.format_message()}", hint=hint, code=ExitCode.USAGE) from error


def _names_in(env_file: Path) -> set[str]:
    lines = read_text(env_file, what="environment").splitlines()
    return {line.partition("=")[0].strip() for line in lines if not line.lstrip().startswith(("#", ";"))}


def _checked(env_file: str) -> Path:
    """The absolute path of a file that a supervisor reads as we do: `NAME=VALUE` lines, comments, nothing else."""
    path = Path(os.path.abspath(expanded(env_file)))  # noqa: PTH100  # a link may lead elsewhere later
    if is_stream(env_file):
        message = "a service reads it at each start, and this is there once"
        raise Failure.of_option("--env-file", message, hint="name a file")
    for number, line in enumerate(read_text(path, what="environment").splitlines(), start=1):
        if line.strip() and not re.match(r"\s*([#;]|[A-Za-z_][A-Za-z0-9_]*=)", line):
            hint = "write `NAME=VALUE`, without `export` and without blanks around `=`"
            raise Failure.of_option("--env-file", f"a supervisor cannot read line {number} of `{path}`", hint=hint)
    return path
