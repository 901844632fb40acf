"""HTML, as it is found: unclosed elements, bytes in any encoding, any depth. What is not shown is left out."""

from __future__ import annotations

import re
from typing import BinaryIO

from runtime.documents.document import Block, Document, Kind, table
from runtime.providers.file_processors._readers.encodings import codec_of, decoded_as, unicode_encoding
from runtime.providers.file_processors._readers.html_tokens import Tag, tokens
from runtime.providers.file_processors._readers.plain import text_of
from runtime.providers.file_processors._readers.reading import Reading, whole
from runtime.providers.file_processors._readers.refusals import parsing

_HIDDEN = frozenset({"script", "style", "noscript", "template", "svg", "math", "iframe", "object"})
_IN_HEAD = frozenset({"head", "title", "meta", "link", "base", *_HIDDEN})
_BLOCKS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "body", "dd", "details", "dialog", "div", "dl", "dt"),
        *("fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "legend", "main", "nav"),
        *("p", "section", "summary"),
    }
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset=[\"']?([\w-]{2,30})", re.IGNORECASE)
_CHARSET_BYTES = 2048
_BLANKS = re.compile(r"\s+")


def read(file: BinaryIO, reading: Reading) -> Document:
    content = whole(file, reading.max_decompressed_bytes)
    with parsing("The HTML"):
        return document_of(content)


def document_of(content: bytes) -> Document:
    """The document that a page of HTML is."""
    return _Blocks(_text(content)).document()


def table_of(text: str) -> Block | None:
    """The first table in a piece of HTML; None if there is none."""
    return next((block for block in _Blocks(text).document().blocks if block.kind == "table"), None)


def _text(content: bytes) -> str:
    declared = _CHARSET.search(content[:_CHARSET_BYTES])
    codec = codec_of(declared[1].decode()) if declared else None
    said = decoded_as(content, codec) if codec is not None and unicode_encoding(content) is None else None
    return said if said is not None else text_of(content)


class _Table:
    """The cells of the outermost table; what stands in a table inside it belongs to the cell."""

    def __init__(self) -> None:
        self.depth = 1
        self.rows: list[list[str]] = []
        self._cell: list[str] | None = None

    def begin(self, tag: str) -> None:
        """Of `tr`, `td` and `th`, which end what was left open."""
        self.end_cell()
        if tag == "tr" or not self.rows:
            self.rows.append([])
        if tag != "tr":
            self._cell = []

    def end_cell(self) -> None:
        if self._cell is not None:
            self.rows[-1].append("".join(self._cell))
        self._cell = None

    def add(self, text: str) -> bool:
        """Whether the text is a cell's; a caption is not."""
        if self._cell is not None:
            self._cell.append(text)
        return self._cell is not None


class _Blocks:
    """Collects blocks while the text goes by. Only the innermost facts are kept, so that no depth is too great."""

    def __init__(self, text: str) -> None:
        self._found: list[Block] = []
        self._text: list[str] = []
        self._kind: Kind = "paragraph"
        self._level = 0
        self._items: list[str] | None = None
        self._table: _Table | None = None
        self._hidden, self._hidden_depth = "", 0
        self._title: list[str] = []
        self._is_title = self._is_head = False
        self._author: str | None = None
        for token in tokens(text):
            if isinstance(token, str):
                self._add_text(token)
            elif token.is_end:
                self._end_tag(token.name)
            else:
                self._begin_tag(token)

    def document(self) -> Document:
        self._end_table()
        self._end_list()
        title = " ".join("".join(self._title).split()) or None
        return Document(
            blocks=tuple(self._found), title=title, author=self._author, metadata={"extraction_method": "html"}
        )

    def _begin_tag(self, begun: Tag) -> None:
        tag = begun.name
        if self._hidden:
            self._hidden_depth += tag == self._hidden
            return
        if tag in _HIDDEN:
            self._hidden, self._hidden_depth = tag, 1
        elif tag == "meta" and begun.attributes.get("name") == "author":
            self._author = begun.attributes.get("content") or None
        elif tag in _IN_HEAD:
            self._is_title, self._is_head = tag == "title", True
        else:
            self._is_title = self._is_head = False
            self._begin(tag)

    def _end_tag(self, tag: str) -> None:
        if self._hidden:
            self._hidden_depth -= tag == self._hidden
            if not self._hidden_depth:
                self._hidden = ""
        elif tag in _IN_HEAD:
            self._is_title, self._is_head = False, tag != "head"
        else:
            self._end(tag)

    def _add_text(self, data: str) -> None:
        if self._is_title:
            self._title.append(data)
        elif not self._hidden and not (self._is_head and data.isspace()):
            self._add(data if self._kind == "code" else _BLANKS.sub(" ", data))

    def _add(self, text: str) -> None:
        if self._table is None or not self._table.add(text):
            self._text.append(text)

    def _begin(self, tag: str) -> None:
        if tag == "br":
            self._add("\n")
        elif self._table is not None:
            self._begin_in_table(self._table, tag)
        elif tag == "table":
            self._end_list()
            self._table = _Table()
        elif tag in _HEADINGS:
            self._end_list()
            self._level = _HEADINGS[tag]
        elif tag in ("li", "pre", *_BLOCKS):
            self._end_block()
            if tag == "li" and self._items is None:
                self._items = []
            self._kind = "code" if tag == "pre" else "paragraph"

    def _begin_in_table(self, table_now: _Table, tag: str) -> None:
        if tag == "table":
            table_now.depth += 1
        elif tag in ("tr", "td", "th") and table_now.depth == 1:
            table_now.begin(tag)
        elif tag in ("li", *_BLOCKS):
            self._add(" ")

    def _end(self, tag: str) -> None:
        if self._table is not None:
            if tag == "table":
                self._table.depth -= 1
                if not self._table.depth:
                    self._end_table()
            elif tag in ("tr", "td", "th") and self._table.depth == 1:
                self._table.end_cell()
        elif tag in ("ul", "ol"):
            self._end_list()
        elif tag in ("li", "pre", *_BLOCKS, *_HEADINGS):
            self._end_block()

    def _end_block(self) -> None:
        text, level, kind = "".join(self._text), self._level, self._kind
        self._text, self._level, self._kind = [], 0, "paragraph"
        if kind == "code":
            text = text.strip("\n")
        else:
            text = "\n".join(line for line in (" ".join(line.split()) for line in text.split("\n")) if line)
        if not text.strip():
            return
        if level:
            self._found.append(Block(kind="heading", text=text.replace("\n", " "), level=level))
        elif self._items is not None and kind == "paragraph":
            self._items.append(text.replace("\n", " "))
        else:
            self._found.append(Block(kind=kind, text=text))

    def _end_list(self) -> None:
        self._end_block()
        items, self._items = self._items, None
        if items:
            self._found.append(Block(kind="list", text="\n".join(f"- {item}" for item in items)))

    def _end_table(self) -> None:
        self._end_block()
        ended, self._table = self._table, None
        if ended is not None:
            ended.end_cell()
            rows = [row for row in ended.rows if any(cell.strip() for cell in row)]
            if (block := table(rows)) is not None:
                self._found.append(block)
