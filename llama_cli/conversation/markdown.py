"""Shows Markdown on a terminal while it comes, line by line: headings, lists, quotes, tables, code, bold and links.

A line is styled as far as it came, and is final at its end; a table when it ends. Nothing that the model wrote is left
out: HTML, unknown syntax and halves of pairs stay as they are. Nothing in it steers the terminal: controls are escaped
first, and there are no links but as text.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from llama_cli.conversation.code import highlighted
from llama_cli.conversation.inline import styled
from llama_cli.conversation.screen import Screen
from llama_cli.conversation.table import is_row, table
from runtime.stdio import printable

_FENCE = re.compile(r"\s*(?:[-*+]\s+|\d{1,9}[.)]\s+)?(`{3,}|~{3,})\s*([^`\s]*)[^`]*")
_HEADING = re.compile(r" {0,3}(#{1,6})\s+(.*?)(?:\s+#+)?\s*")
_RULE = re.compile(r" {0,3}([-*_])(?:\s*\1){2,}\s*")
_ITEM = re.compile(r"(\s*)(?:([-*+])|(\d{1,9}[.)]))(\s+)(.*)")
_QUOTE = re.compile(r" {0,3}((?:>\s?)+)(.*)")


@dataclass
class _Code:
    """A block of code that is open. fence: what ends it; lines: those that came; unseen: how many of them, the last
    ones, are not on the screen yet.
    """

    fence: str
    language: str
    lines: list[str] = field(default_factory=list)
    unseen: int = 0


class Markdown:
    """A `Writer`."""

    def __init__(self) -> None:
        self._screen = Screen()
        self._ends = io.IncrementalNewlineDecoder(None, translate=True)
        self._line = ""
        self._code: _Code | None = None
        self._table: list[str] = []
        self._drawn_at = self._drawing_s = 0.0
        self._console = Console(
            file=io.StringIO(), force_terminal=True, highlight=False, emoji=False, markup=False, width=10_000
        )

    def write(self, text: str) -> None:
        self._line += printable(self._ends.decode(text))
        while "\n" in self._line:
            line, _, self._line = self._line.partition("\n")
            self._end(line.expandtabs(4))
        # Drawing takes half of the time at most: a model that is faster than a terminal does not wait for it.
        began = time.monotonic()
        if began - self._drawn_at > self._drawing_s:
            self._draw()
            self._drawn_at = time.monotonic()
            self._drawing_s = self._drawn_at - began

    def pause(self) -> None:
        self.close(is_whole=False)

    def close(self, *, is_whole: bool) -> None:
        if self._line:
            line, self._line = self._line, ""
            self._end(line.expandtabs(4))
        self._settle_code()
        self._end_table()

    def _draw(self) -> None:
        """Show what has come since it was done last."""
        self._settle_code()
        if self._line or self._table:
            self._screen.draw(self._unfinished(self._line.expandtabs(4)))

    def _unfinished(self, line: str) -> list[str]:
        """A line as far as it came, below a table that may go on, of which no more is made than can be shown."""
        table = self._table[-self._screen.most :]
        if not line or (table and (is_row(line) or not line.strip())):
            rows = [*table, line] if line else table
            return self._rows([Text(row, style="dim") for row in rows], self._folded)
        return self._rows([Text(row, style="dim") for row in table], self._folded) + self._styled(line)

    def _end(self, line: str) -> None:
        if self._code is not None:
            self._end_code_line(self._code, line)
        elif is_row(line):
            self._table.append(line)
        else:
            self._end_table()
            if found := _FENCE.fullmatch(line):
                self._code = _Code(found[1], found[2])
                self._screen.settle(self._rows([Text(line, style="dim")], self._folded))
            else:
                self._screen.settle(self._styled(line))

    def _end_code_line(self, code: _Code, line: str) -> None:
        bare = line.strip()
        if len(bare) >= len(code.fence) and set(bare) == {code.fence[0]}:
            self._settle_code()
            self._code = None
            self._screen.settle(self._rows([Text(line, style="dim")], self._folded))
            return
        code.lines.append(line)
        code.unseen += 1

    def _settle_code(self) -> None:
        """The lines of a program that have come whole, as many at once as there are: colouring takes its time."""
        code = self._code
        if code is not None and code.unseen:
            texts, code.unseen = highlighted(code.lines, code.unseen, code.language), 0
            # Not folded: a terminal does so itself, and what is copied from there stays one line.
            self._screen.settle(self._rows(texts, lambda text: [text]))

    def _end_table(self) -> None:
        if self._table:
            rows, self._table = self._table, []
            found = table(rows, self._screen.columns)
            self._screen.settle(self._rows(found or [Text(row) for row in rows], self._folded))

    def _styled(self, line: str) -> list[str]:
        """A line outside of tables, or of code that has not ended, as rows."""
        if self._code is not None:
            return self._rows([Text(line)], self._folded)
        if found := _HEADING.fullmatch(line):
            return self._wrapped("", styled(found[2], "bold underline" if len(found[1]) < 3 else "bold"))
        if _RULE.fullmatch(line):
            return self._rows([Text("─" * min(self._screen.columns, 40), style="dim")], self._folded)
        if found := _ITEM.fullmatch(line):
            mark = "•" if found[2] else found[3]
            return self._wrapped(f"{found[1]}{mark}{found[4]}", styled(found[5]))
        if found := _QUOTE.fullmatch(line):
            bars = "│ " * found[1].count(">")
            return self._wrapped(bars, styled(found[2], "italic"), hang=bars)
        indent = len(line) - len(line.lstrip())
        return self._wrapped(line[:indent], styled(line[indent:]))

    def _wrapped(self, lead: str, text: Text, *, hang: str | None = None) -> list[str]:
        """Between words; lead: before the first row; hang: before the others, blanks unless given."""
        columns = self._screen.columns
        lead = lead if cell_len(lead) < columns // 2 else ""
        hang = " " * cell_len(lead) if hang is None else hang
        rows = text.wrap(self._console, columns - cell_len(lead), overflow="fold") if text.plain else [Text()]
        parts = [Text.assemble((hang if place else lead, "dim" if lead else ""), row) for place, row in enumerate(rows)]
        return self._rows(parts, lambda row: [row])

    def _folded(self, text: Text) -> list[Text]:
        """At the width, wherever that is."""
        columns = self._screen.columns
        places: list[int] = []
        used = 0
        for place, character in enumerate(text.plain):
            width = cell_len(character)
            if used + width > columns:
                places.append(place)
                used = 0
            used += width
        return list(text.divide(places))

    def _rows(self, texts: list[Text], fit: Callable[[Text], list[Text]]) -> list[str]:
        """As a terminal is given them."""
        rows = []
        for text in texts:
            for part in fit(text):
                with self._console.capture() as captured:
                    self._console.print(part, end="", soft_wrap=True)
                rows.append(captured.get())
        return rows
