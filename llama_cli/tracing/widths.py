"""Texts of a certain width, in the cells of a terminal: some characters take two of them."""

from __future__ import annotations

import sys

from llama_cli.terminal import console


def screen() -> int:
    """What a line of standard output has room for: some terminals begin a line of their own after the last cell."""
    return console.terminal_size(sys.stdout).columns - 1


def filled(text: str, cells: int) -> str:
    """So many cells: filled up with blanks, or cut short."""
    from rich.cells import set_cell_size

    return set_cell_size(cut(text, cells), cells)


def cut(text: str, cells: int) -> str:
    """At most so many cells, with an ellipsis for what is not there."""
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= cells else f"{set_cell_size(text, cells - 1).rstrip()}…"


def wrapped(text: str, cells: int) -> list[str]:
    """Lines of at most so many cells, broken at blanks, and within a word that is longer."""
    from rich.cells import cell_len, chop_cells

    lines: list[str] = []
    for word in text.split(" "):
        if lines and cell_len(f"{lines[-1]} {word}") <= cells:
            lines[-1] += f" {word}"
        else:
            lines += chop_cells(word, max(cells, 2)) or [""]
    return lines
