"""How a command is told which model: by an argument, or as older systems had it, by an option."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.exits import ExitCode, Failure

ModelName = Annotated[
    str | None,
    typer.Argument(
        metavar="MODEL", help="A name of `llama model list`, or a repository such as `org/name`.", show_default=False
    ),
]
ModelId = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        "--model-id",
        "--model-name",
        metavar="MODEL",
        help="The older way to name it.",
        rich_help_panel="Older names",
    ),
]


def chosen(argument: str | None, option: str | None) -> str:
    """The model. Raises Failure (USAGE) where there is none, or two."""
    if argument is not None and option is not None:
        raise Failure("name the model once", code=ExitCode.USAGE)
    name = argument or option
    if not name:
        raise Failure("which model?", hint="the names are those of `llama model list --all`", code=ExitCode.USAGE)
    return name
