"""Rows at the end of a terminal's output that can still change: only what differs is written again.

Knows cursors (ECMA-48) and nothing of what the rows say; a row is styled already, and fits in the width that the
terminal had when it was settled last: in one that has become narrower since, or has fewer columns than anything fits
in, a row takes several of the terminal's.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence

from llama_cli.terminal import console
from llama_cli.terminal.step import width

_STYLE = re.compile(r"\x1b\[[0-9;]*m")


class Screen:
    """The cursor stays at the end of the last row. What scrolls off the screen can not be changed any more, so that of
    rows which are not final only the last are shown.
    """

    def __init__(self) -> None:
        self._rows: list[str] = []
        self._heights: list[int] = []
        self._size = shutil.get_terminal_size((80, 24))

    @property
    def columns(self) -> int:
        """How wide a row can be; the last column stays free, since terminals differ in what happens after it."""
        return max(20, self._size.columns) - 1

    @property
    def most(self) -> int:
        """How many rows that are not final are shown."""
        return max(1, self._size.lines - 2)

    def draw(self, rows: Sequence[str]) -> None:
        """Show these rows in place of those that are not final yet."""
        self._put(list(rows[-self.most :]))

    def settle(self, rows: Sequence[str]) -> None:
        """The same, all of them, for good."""
        self._put(list(rows))
        console.write("\n")
        self._rows, self._heights = [], []
        self._size = shutil.get_terminal_size((80, 24))  # between rows that can change, or they would move

    def _put(self, rows: list[str]) -> None:
        before, self._rows = self._rows, rows
        same = 0
        while same < min(len(before), len(rows)) and before[same] == rows[same]:
            same += 1
        if same == len(before) == len(rows):
            return
        heights = self._heights
        self._heights = [*heights[:same], *map(self._height, rows[same:])]
        if same == len(before):
            text = "\n".join(["", *rows[same:]] if before else rows)
        elif same == len(before) - 1 and same < len(rows) and rows[same].startswith(before[same]):
            text = "\n".join([rows[same][len(before[same]) :], *rows[same + 1 :]])
        elif same < len(rows):
            text = _back(heights[same:]) + "\n".join(rows[same:])
        else:  # fewer than before: the cursor goes to the end of the last that stays
            text = _back(heights[same - 1 :]) + rows[-1] if rows else _back(heights)
        console.write(text)

    def _height(self, row: str) -> int:
        """How many of the terminal's rows it takes that is written now."""
        columns = shutil.get_terminal_size((80, 24)).columns
        return max(1, -(-width(_STYLE.sub("", row)) // max(1, columns))) if columns <= self.columns else 1


def _back(heights: Sequence[int]) -> str:
    """To the beginning of the first of the last rows, clearing everything from there on."""
    above = sum(heights) - 1
    return (f"\x1b[{above}A" if above > 0 else "") + "\r\x1b[J"
