"""Colours a line of a program, as its language has it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.syntax import Syntax
from rich.text import Text

_MOST_LINES = 200
"""How much of what came before is looked at: a text in quotes may have begun there."""


def highlighted(lines: Sequence[str], language: str) -> Text:
    """The last of the lines; plain in a language that is not known."""
    last = lines[-1]
    if not language or not last.strip():
        return Text(last)
    code = "\n".join(lines[-_MOST_LINES:])
    syntax = Syntax(code, language, theme="ansi_dark", background_color="default")
    colored = syntax.highlight(code).split("\n", allow_blank=False)
    found = colored[len(lines[-_MOST_LINES:]) - 1] if len(colored) >= len(lines[-_MOST_LINES:]) else Text(last)
    # Some languages leave blanks out, or add some; then it is shown as it was written.
    return found if found.plain == last else Text(last)
