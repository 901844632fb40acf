"""Explain a command, the exit codes or, as JSON, everything.

Knows how to read Typer's objects. Knows no command by name.
"""

from __future__ import annotations

from typing import Annotated

import typer
from typer._click.core import Context
from typer.core import TyperGroup

from llama_cli import console
from llama_cli.commands import print_help, print_schema
from llama_cli.console import ExitCode
from llama_cli.help_data import describe
from llama_cli.options import Json
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
