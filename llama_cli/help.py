"""Explain a command, exit codes and variables or, as JSON, everything.

Knows how to read Typer's objects. Knows no command by name.
"""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from typer._click.core import Context
from typer.core import TyperGroup

from llama_cli.commands import print_help, print_schema
from llama_cli.exits import Failure
from llama_cli.helping.data import describe
from llama_cli.helping.documents import man, markdown
from llama_cli.helping.topics import environment, exit_codes
from llama_cli.options import Json, one_form
from llama_cli.terminal import console
from llama_cli.terminal.tables import Column, listing


def command(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[COMMAND]...", help="A command, as in `stack run`; or `exit-codes`, `environment`."),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="With every option and paragraph.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="The JSON schema of what it prints with --json.")] = False,
    format: Annotated[
        Literal["text", "man", "markdown"], typer.Option("--format", help="As text, a man page or Markdown.")
    ] = "text",
    json: Json = False,
) -> None:
    """Explain a command; with --json, describe it and everything below it for tools.

    Examples:
      llama help stack run
      llama help exit-codes
      llama help stack run --format man | man -l -
    """
    one_form(format, usual="text")
    if words in (["exit-codes"], ["environment"]):
        if format != "text":
            raise Failure.of_option("--format", f"`{words[0]}` is a part of every man page and of the page of `llama`")
        if schema:
            print_schema(f"llama help {words[0]}")
        else:
            _print_topic(words[0])
        return
    if schema and words in (["error"], ["version"]):
        print_schema(f"llama {words[0]}")
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
    elif format == "man":
        console.out(man(found), end="")
    elif format == "markdown":
        console.out(markdown(found), end="")
    elif json:
        console.document(describe(here, found))
    else:
        print_help(found, whole=all_)


def _print_topic(name: str) -> None:
    meaning = Column("meaning", "Meaning", gives_way=True, readable=70)
    if name == "environment":
        listing(environment(), [Column("name", "Variable"), meaning], name="name")
    else:
        listing(exit_codes(), [Column("code", "Code"), Column("name", "Name", spare=1), meaning], name="code")
