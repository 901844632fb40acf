"""Explain a command, the exit codes or, as JSON, everything.

Knows how to read Typer's objects. Knows no command by name.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer._click.core import Command as ClickCommand
from typer._click.core import Context, Parameter
from typer.core import TyperGroup, TyperOption

from llama_cli import console
from llama_cli.commands import print_help, print_schema
from llama_cli.console import ExitCode
from llama_cli.options import Json, variables_of
from llama_cli.tables import Column, listing


def command(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[COMMAND]...", help="A command, as in `stack run`; or `exit-codes`."),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="With every option and paragraph.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="The JSON schema of what it prints with --json.")] = False,
    json: Json = False,
) -> None:
    """Explain a command; with --json, describe it and everything below it for tools.

    Examples:
      llama help stack run
      llama help exit-codes
      llama help --json
    """
    if words == ["exit-codes"] and not schema:
        rows = [{"code": int(code), "name": code.name.lower(), "meaning": code.meaning} for code in ExitCode]
        columns = [Column("code", "Code"), Column("name", "Name"), Column("meaning", "Meaning", gives_way=True)]
        listing(rows, columns, name="code")
        return
    if schema and words in (["exit-codes"], ["error"], ["version"]):
        print_schema("llama help exit-codes" if words == ["exit-codes"] else f"llama {words[0]}")
        return
    here = context.find_root().command
    found = Context(here, info_name="llama")
    for word in words or []:
        if not isinstance(here, TyperGroup):
            raise typer.BadParameter(f"`{found.command_path}` has no commands of its own")
        _, child, _ = here.resolve_command(found, [word])
        assert child is not None
        here, found = child, Context(child, info_name=word, parent=found)
    if schema:
        print_schema(found.command_path)
    elif json:
        console.document(describe(here, found))
    else:
        print_help(found, whole=all_)


def describe(here: ClickCommand, context: Context) -> dict[str, Any]:
    """A command as data, with the commands of a group, which are all imported."""
    children: list[dict[str, Any]] = []
    if isinstance(here, TyperGroup):
        for name in here.list_commands(context):
            child = here.get_command(context, name)
            assert child is not None
            children.append(describe(child, Context(child, info_name=name, parent=context)))
    params = [param for param in here.get_params(context) if not getattr(param, "hidden", False)]
    return {
        "command": context.command_path,
        "help": here.help or "",
        "examples": list(getattr(here, "examples", [])),
        "arguments": [_describe_param(param, context) for param in params if not isinstance(param, TyperOption)],
        "options": [_describe_param(param, context) for param in params if isinstance(param, TyperOption)],
        "commands": children,
    }


def _describe_param(param: Parameter, context: Context) -> dict[str, Any]:
    default = param.get_default(context, call=False)
    is_option = isinstance(param, TyperOption)
    return {
        "names": [*param.opts, *param.secondary_opts] if is_option else [param.human_readable_name],
        "help": getattr(param, "help", None) or "",
        "type": param.type.name,
        "required": param.required,
        "multiple": bool(getattr(param, "multiple", False)) or param.nargs == -1,
        "flag": bool(getattr(param, "is_flag", False)),
        "default": default if isinstance(default, (str, int, float, bool, type(None))) else str(default),
        "environment": variables_of(param),
    }
