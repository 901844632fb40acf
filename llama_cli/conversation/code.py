"""Colours lines of a program, as its language has it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.syntax import Syntax
from rich.text import Text

_MOST_LINES = 200
"""How much of what came before is looked at: a text in quotes may have begun there."""


def highlighted(lines: Sequence[str], count: int, language: str) -> list[Text]:
    """The last `count` of the lines; plain in a language that is not known.

    It takes tens of milliseconds, nearly as long for one line as for a hundred.
    """
    wanted = lines[-count:]
    if not language or not any(line.strip() for line in wanted):
        return [Text(line) for line in wanted]
    known = lines[-count - _MOST_LINES :]
    syntax = Syntax("", language, theme="ansi_dark", background_color="default")
    colored = syntax.highlight("\n".join(known)).split("\n", allow_blank=False)[len(known) - count :]
    colored += [Text()] * (count - len(colored))
    # Some languages leave blanks out, or add some; then it is shown as it was written.
    return [found if found.plain == line else Text(line) for found, line in zip(colored, wanted, strict=False)]
