"""Tables of Markdown (https://github.github.com/gfm/#tables-extension-)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runtime.stdio import one_line


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, without a line feed at its end. What its cells mark stays marked."""
    lines = [f"| {' | '.join(map(cell, cells))} |" for cells in (header, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(header), *lines[1:]])


def cell(text: str) -> str:
    """What can stand in a cell, or a heading: one line, which ends no cell."""
    return one_line(" ".join(text.split())).replace("|", "\\|")
