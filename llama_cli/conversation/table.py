"""Draws a table of Markdown (GitHub's) with aligned columns."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from llama_cli.conversation.inline import styled

_ROW = re.compile(r" {0,3}\|.*")
_RULE = re.compile(r" {0,3}\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*")


def is_row(line: str) -> bool:
    """Whether a line can belong to a table."""
    return _ROW.fullmatch(line) is not None


def table(lines: Sequence[str], columns: int) -> list[Text] | None:
    """The rows of a drawn table, at most so many columns wide; None for lines that are no table."""
    if len(lines) < 2 or not _RULE.fullmatch(lines[1]) or _RULE.fullmatch(lines[0]):
        return None
    header, rule, *body = (_cells(line) for line in lines)
    if any(len(row) > len(header) for row in (rule, *body)) or len(rule) != len(header):
        return None
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for name, mark in zip(header, rule, strict=True):
        drawn.add_column(styled(name), justify=_justify(mark), overflow="fold")
    for row in body:
        drawn.add_row(*map(styled, row))
    screen = Console(width=columns, force_terminal=True, highlight=False)
    drawn_rows = [
        Text.assemble(*((segment.text, segment.style or "") for segment in row)) for row in screen.render_lines(drawn)
    ]
    for drawn_row in drawn_rows:
        drawn_row.rstrip()
    return [drawn_row for drawn_row in drawn_rows if drawn_row.plain]


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", inner)]


def _justify(mark: str) -> JustifyMethod:
    if mark.endswith(":"):
        return "center" if mark.startswith(":") else "right"
    return "left"
