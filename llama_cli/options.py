"""The options that several commands share, with the same names everywhere, and the units that they accept.

Knows Typer and how durations and ports are written. Knows no command.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer._click.core import Context, Parameter, ParameterSource
from typer._click.globals import get_current_context
from typer._click.types import IntRange

from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal import console
from runtime import durations
from runtime.config.variables import is_link

if TYPE_CHECKING:
    from runtime.config.user_file import UserFile

PORT_VARIABLES = ["LLAMA_STACK_PORT", "OGX_PORT"]
"""The variables that stand for `--port`, and come before the port of a run.yaml; the first that is set counts."""


def parse_duration(text: str) -> float:
    """`90s`, `1h30m`, `7d` or a bare number of seconds -> seconds. Raises typer.BadParameter for anything else."""
    try:
        return durations.parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def parse_age(text: str) -> float:
    """The same with a unit, for what is deleted. Raises typer.BadParameter for anything else."""
    try:
        return durations.parse_age(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def new_file(given: str, option: str, *, force: bool, mode: int = 0o644) -> UserFile:
    """Where to write what `option` names, `-` for standard output. force: in place of what a file there holds. mode: of
    a new file. Raises Failure: CONFLICT where a file is there that is not to be replaced, USAGE for what is no file.
    """
    from runtime.config.user_file import UserFile
    from runtime.errors import ConfigInvalid

    try:
        file = UserFile(given, option=option, mode=mode)
    except ConfigInvalid as error:
        [problem] = error.problems
        raise Failure.of_option(option, problem.message, hint=problem.hint) from error
    if file.is_there and not force:
        hint = f"`--force` replaces it, {f'`{option} FILE`' if option != 'FILE' else 'another name'} writes another"
        raise Failure(f"`{given}` is there already", hint=hint, code=ExitCode.CONFLICT)
    return file


def usual_target() -> str:
    """Where none is named: what `llama stack init` has written here, or else what the first day begins with."""
    return "run.yaml" if os.path.isfile("run.yaml") else "starter"  # noqa: PTH113  # `Path.is_file` raises where it may not look


def read_once(*given: str | None) -> None:
    """Raises Failure (USAGE) where several of these names mean standard input, which can be read once."""
    from runtime.config.text import as_meant, is_stdin

    if sum(name is not None and is_stdin(as_meant(name)) for name in given) > 1:
        raise Failure("standard input can be read once", hint="give the others as files", code=ExitCode.USAGE)


def one_form(format: str, *, usual: str) -> None:
    """Raises Failure (USAGE) where `--format` and `--json` want two things of standard output. usual: the format that
    nobody has to ask for.
    """
    if console.settings.json and format != usual:
        raise Failure.of_option("--format", f"`{format}` and `--json` both want standard output", hint="leave one out")


class PortParam(IntRange):
    """A port. From the environment, not the address that Kubernetes sets in a port's place (`variables.is_link`)."""

    def __init__(self) -> None:
        super().__init__(min=0, max=65535)

    def convert(self, value: Any, param: Parameter | None, ctx: Context | None) -> Any:
        if param is None or ctx is None or ctx.get_parameter_source(param.name or "") != ParameterSource.ENVIRONMENT:
            return super().convert(value, param, ctx)
        for name in variables_of(param):
            text = os.environ.get(name, "")
            if is_link(name, text):
                console.warn(f"`{name}` is `{text}`, the address that Kubernetes gives for a service: it is ignored")
            elif text:
                return super().convert(text, param, ctx)
        return None


def variables_of(param: Parameter) -> list[str]:
    """The environment variables that an option is read from, in their order."""
    return [param.envvar] if isinstance(param.envvar, str) else list(param.envvar or [])


def variable_behind(name: str) -> str | None:
    """The environment variable that an option of the running command was read from; None where it was none."""
    context = get_current_context()
    if context.get_parameter_source(name) != ParameterSource.ENVIRONMENT:
        return None
    [param] = (param for param in context.command.params if param.name == name)
    stated = ((name, os.environ.get(name, "")) for name in variables_of(param))
    return next((name for name, text in stated if text and not is_link(name, text)), None)


def one_server(name: str | None, url: str | None) -> str | None:
    """The server that was meant by an argument or by `--url`; what the environment says gives way to an argument.
    Raises Failure (USAGE) where both were typed.
    """
    if name is not None and url is not None and variable_behind("url") is None:
        raise Failure("name the server once, as an argument or with `--url`", code=ExitCode.USAGE)
    return url if name is None else name


def all_servers(names: list[str] | None, url: str | None) -> list[str]:
    """The same where an argument can name several."""
    return [str(one_server(name, url)) for name in names] if names else [url] if url is not None else []


Level = Literal["debug", "info", "warning", "error", "critical"]
"""How bad what is logged is, the least bad first."""

Json = Annotated[
    bool,
    typer.Option("--json", help="Print JSON; `--help --schema` prints its schema.", callback=console.set_json),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print results only; of a list, the names.", callback=console.set_quiet),
]
Wide = Annotated[bool, typer.Option("--wide", help="All columns, each as wide as it is, whatever the terminal.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; agree to what is asked.")]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL|NAME",
        help="The server, unless only one runs. An address, or the name of one that runs here.",
        envvar="LLAMA_STACK_URL",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that is there.", rich_help_panel="More")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Offline = Annotated[
    bool, typer.Option("--offline", help="Use only packages that are cached on this machine.", rich_help_panel="More")
]
Target = Annotated[
    str,
    typer.Argument(metavar="DISTRO|NAME|FILE", help="A template, what was built, or a run.yaml; `-` is stdin."),
]
RecordingsDir = Annotated[
    str | None,
    typer.Argument(
        metavar="[DIR]",
        help="The folder; else LLAMA_STACK_TEST_RECORDING_DIR, `recordings` or `tests/recordings`.",
        show_default=False,
    ),
]
Recording = Annotated[
    str, typer.Argument(metavar="RECORDING", help="Its file, or how its key begins: the digits in the file's name.")
]
ProvidersOf = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="DISTRO|NAME|FILE",
        help="Whose providers to ask. By default those of the run.yaml here, else of `starter`; `-` is stdin.",
    ),
]
Alike = Annotated[
    float,
    typer.Option(
        metavar="NUMBER",
        min=0.0,
        max=1.0,
        help="How alike two texts are at least that say the same.",
        rich_help_panel="More",
    ),
]
ServerName = Annotated[
    str | None, typer.Argument(metavar="[NAME|URL]", help="The server; optional where only one runs.")
]
ServerNames = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME|URL]...", help="The servers; optional where only one runs.", show_default=False),
]
StateDir = Annotated[
    str | None,
    typer.Option("--state", metavar="DIR", help="Its state folder, if not the usual one.", rich_help_panel="More"),
]
LocalUrl = Annotated[
    str | None,
    typer.Option("--url", metavar="URL|NAME", help="The same as the argument.", rich_help_panel="More"),
]
"""`Url` of a command that asks no server but does something with one that runs here: the environment's is not meant."""
DrainTimeout = Annotated[
    float,
    typer.Option(
        help="How long requests can take to finish; 30s unless given.",
        metavar="DURATION",
        parser=parse_duration,
        show_default=False,
    ),
]
DRAIN_TIMEOUT: float = "30s"  # type: ignore[assignment]  # Typer parses the default as it parses what is typed
EnvPairs = Annotated[
    list[str] | None,
    typer.Option(
        "--env",
        metavar="NAME[=VALUE]",
        help="Set a variable for the server, and only there. It is never written to disk; NAME alone checks that it is "
        "passed on.",
    ),
]
EnvFile = Annotated[
    str | None,
    typer.Option(
        "--env-file",
        metavar="FILE",
        help="Read variables for the server from a file; `-` is stdin.",
        rich_help_panel="Environment",
    ),
]
