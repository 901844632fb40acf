"""Say whether texts are harmful, by a shield of a running stack."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.exits import ExitCode, Failure
from llama_cli.options import Json, Quiet, Url, Wide
from llama_cli.terminal.tables import Column, listing


def command(
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT]...", help="The texts; otherwise the lines of a pipe.")
    ] = None,
    file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Take each line of a file as a text; `-` is stdin.")
    ] = None,
    shield: Annotated[
        str | None, typer.Option(metavar="ID", help="Which shield; the server's default otherwise.")
    ] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 9 where one is harmful.")] = False,
    url: Url = None,
    json: Json = False,
    quiet: Quiet = False,
    wide: Wide = False,
) -> None:
    """Say for each text whether it is harmful, and of which categories; with -q, only the texts that are.

    `llama shields` lists the shields there are. What a shield can tell, its provider says: none finds everything.

    Examples:
      llama moderate "Have a nice day"
      llama moderate --file messages.txt --json
      git log -1 --format=%B | llama moderate -q --exit-code
    """
    from llama_cli.asking.address import address_of
    from llama_cli.conversation import given_texts, moderations

    wanted = given_texts.texts(texts or [], file)
    if not wanted:
        hint = 'give some, as in `llama moderate "Have a nice day"`, or pipe in one a line'
        raise Failure("there are no texts to look at", hint=hint, code=ExitCode.USAGE)
    rows = list(moderations.moderated(address_of(url), shield, wanted))
    harmful = [row for row in rows if row["flagged"]]
    columns = [
        Column("flagged", "Harmful", show=lambda found: "yes" if found else "no"),
        Column("categories", "Categories", gives_way=True),
        Column("text", "Text", gives_way=True),
    ]
    listing(harmful if quiet else rows, columns, name="text", wide=wide)
    if harmful and exit_code:
        raise typer.Exit(ExitCode.DIFFERENT)
