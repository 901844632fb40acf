"""A document after it was read: blocks of text in reading order, with the structure that chunks and citations need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

_MOST_PADDING = 10
"""So many times as many cells as there are, a table may have when its rows are made equally long."""

Kind = Literal["heading", "paragraph", "list", "table", "code"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One piece of a document.

    text: as Markdown has it: an item or a row on each line, no marks before headings and around code. level: of a
    heading, 1 at the top. page: counted from 1, None where the format has no pages. head_lines: how many first lines of
    a table say what its columns are; they are repeated wherever the table is cut.
    """

    kind: Kind
    text: str
    level: int = 0
    page: int | None = None
    head_lines: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """blocks: in reading order. page_count: None where the format has no pages. metadata: what the file says about
    itself beyond title and author, such as `subject`.
    """

    blocks: tuple[Block, ...]
    title: str | None = None
    author: str | None = None
    page_count: int | None = None
    metadata: Mapping[str, str | int | list[str]] = field(default_factory=dict)

    def storable(self) -> Document:
        """Without NULs and halves of surrogate pairs, which some formats can hold and UTF-8 or some stores cannot."""
        return replace(
            self,
            blocks=tuple(
                block if (text := _storable(block.text)) is block.text else replace(block, text=text)
                for block in self.blocks
            ),
            title=self.title and _storable(self.title),
            author=self.author and _storable(self.author),
            metadata={
                name: _storable(value)
                if isinstance(value, str)
                else [_storable(one) for one in value]
                if isinstance(value, list)
                else value
                for name, value in self.metadata.items()
            },
        )

    def cleaned(self) -> Document:
        """With single blanks in the lines of running text, and without empty blocks."""
        return replace(self, blocks=tuple(block for block in map(_cleaned, self.blocks) if block.text.strip()))


def _storable(text: str) -> str:
    if "\0" in text:
        text = text.replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def table(rows: Iterable[Iterable[str]], *, page: int | None = None) -> Block | None:
    """A table of these cells, the first row its head; None without any.

    Rows may differ in length: the head becomes as long as the longest, which others need not be
    (https://github.github.com/gfm/#tables-extension-), and are not where that would be much more than the cells.
    """
    cells = [[_cell(cell) for cell in row] for row in rows]
    width = max(map(len, cells), default=0)
    if not width:
        return None
    even = width if width * len(cells) <= _MOST_PADDING * sum(map(len, cells)) else 0
    cells[0] += [""] * (width - len(cells[0]))
    lines = ["| " + " | ".join([*row, *[""] * (even - len(row))]) + " |" for row in cells]
    lines.insert(1, "|" + " --- |" * width)
    return Block(kind="table", text="\n".join(lines), page=page, head_lines=2)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _cleaned(block: Block) -> Block:
    if block.kind in ("code", "table"):
        return block
    lines = (" ".join(line.split()) for line in block.text.splitlines())
    return replace(block, text="\n".join(line for line in lines if line))
