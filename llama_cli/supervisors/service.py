"""A distribution as a service: what is run, with what, and what it is called. Knows no supervisor.

Secrets stand in a file of the user's, which a supervisor reads at each start; never in what we write.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llama_cli.console import ExitCode, Failure
from runtime.config.home import HOME_VARIABLES, expanded, is_distribution_name, llama_home
from runtime.config.redaction import redact_text
from runtime.config.text import as_meant, is_stream, read_text, shown

_NOT_HERE = {
    "--detach": "a supervisor stays with what it starts",
    "-d": "a supervisor stays with what it starts",
    "--dry-run": "it is an option of this command",
    "--json": "it says nothing to anybody",
    "--env": "what is given so would stand in a file that others can read: use `--env-file`",
    "--env-file": "give it before `--`",
}
_INHERITED = (
    *("UV_CACHE_DIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "UV_INDEX_URL", "PIP_INDEX_URL", "PIP_CONFIG_FILE"),
)
"""Taken over where they are set: how packages and vendors are reached."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """name: of the distribution. command: what runs it in front. variables: none of them a secret. env_file: absolute.
    home: the Llama home; written: other folders that it writes. is_system: for the machine, not for one user.
    """

    name: str
    command: tuple[str, ...]
    variables: Mapping[str, str]
    home: Path
    written: tuple[Path, ...] = ()
    env_file: Path | None = None
    is_system: bool = False
    user: str | None = None

    @property
    def label(self) -> str:
        return f"llama-stack-{self.name}"


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
    found = resolve_config(target)
    meant = target if isinstance(found, str) or is_distribution_name(target) else str(found.absolute())
    name = target if is_distribution_name(target) else re.sub(r"[^A-Za-z0-9._-]+", "-", _stem(target)).strip("-.")
    home = llama_home(environment)
    variables = {HOME_VARIABLES[0]: str(home)}
    inherited = {name: environment.get(name, "") for name in _INHERITED}
    variables |= {name: value for name, value in inherited.items() if value and redact_text(value) == value}
    return Service(
        name=name,
        command=(*_llama(), "stack", "run", meant, *options),
        variables=variables,
        home=home,
        written=(uv_cache(environment),),
        env_file=_checked(env_file) if env_file is not None else None,
        is_system=is_system,
        user=(environment.get("SUDO_USER") or environment.get("USER")) if is_system else None,
    )


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
