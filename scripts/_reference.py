"""Writes the reference: a page for each command (docs/cli), a run.yaml's keys and the settings of providers."""

from __future__ import annotations

from pathlib import Path

from typer._click.core import Command, Context
from typer.core import TyperGroup

from llama_cli.helping.documents import markdown, page_name
from llama_cli.helping.settings import pages
from llama_cli.main import root

DOCS = Path(__file__).parents[1] / "docs"
FOLDER = DOCS / "cli"


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
    written = {FOLDER / name for name in write(root(), Context(root(), info_name="llama"))}
    for name, text in pages().items():
        page = DOCS / name
        page.parent.mkdir(exist_ok=True)
        page.write_text(text, encoding="utf-8")
        written.add(page)
    for page in {page for folder in {page.parent for page in written} - {DOCS} for page in folder.iterdir()}:
        if page not in written:
            page.unlink()


main()
