"""Writes the reference of the command line, a page for each command: docs/cli."""

from __future__ import annotations

from pathlib import Path

from typer._click.core import Command, Context
from typer.core import TyperGroup

from llama_cli.helping.documents import markdown, page_name
from llama_cli.main import root

FOLDER = Path(__file__).parents[1] / "docs" / "cli"


def write(here: Command, context: Context) -> set[str]:
    """The names of the pages of a command and of all below it."""
    name = page_name(context)
    (FOLDER / name).write_text(markdown(context), encoding="utf-8")
    written = {name}
    if isinstance(here, TyperGroup):
        for word in here.list_commands(context):
            child = here.get_command(context, word)
            assert child is not None
            written |= write(child, Context(child, info_name=word, parent=context))
    return written


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    written = write(root(), Context(root(), info_name="llama"))
    for page in FOLDER.iterdir():
        if page.name not in written:
            page.unlink()


main()
