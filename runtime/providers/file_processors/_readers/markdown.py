"""Markdown: CommonMark with tables (https://spec.commonmark.org, https://github.github.com/gfm/#tables-extension-)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from markdown_it import MarkdownIt
from markdown_it.token import Token

from runtime.documents.document import Block, Document
from runtime.providers.file_processors._readers.plain import text_of
from runtime.providers.file_processors._readers.reading import Reading, whole

_SLIDE = re.compile(r"<!-- Slide number: (\d+) -->")
_COMMENT = re.compile(r"\A\s*<!--.*?-->\s*\Z", re.DOTALL)
_LINE_END = re.compile(r"\r\n?|\n")
"""As the parser counts lines: a form feed or U+2028 ends none."""
_LISTS = ("bullet_list_open", "ordered_list_open")


def read(file: BinaryIO, reading: Reading) -> Document:
    blocks = tuple(blocks_of(text_of(whole(file, reading.max_decompressed_bytes))))
    return Document(blocks=blocks, title=first_title(blocks), metadata={"extraction_method": "markdown"})


def first_title(blocks: Sequence[Block]) -> str | None:
    """The heading at the top of the document, if it begins with one."""
    return blocks[0].text if blocks and blocks[0].kind == "heading" and blocks[0].level == 1 else None


def blocks_of(text: str) -> Iterator[Block]:
    """The blocks of a text. A comment that gives the number of a slide, as markitdown writes it, begins a page."""
    lines = _LINE_END.split(text)
    tokens = MarkdownIt("commonmark").enable("table").disable("inline").parse(text)  # of which nothing is used
    page: int | None = None
    at = 0
    while at < len(tokens):
        token, end = tokens[at], _end(tokens, at)
        if token.type == "html_block" and (slide := _SLIDE.search(token.content)):
            page = int(slide[1])
        elif (block := _block(token, tokens[at:end], lines, page)) is not None:
            yield block
        at = end


def _end(tokens: Sequence[Token], at: int) -> int:
    """Where the block that begins at a token has ended."""
    depth = 0
    for place in range(at, len(tokens)):
        depth += tokens[place].nesting
        if depth == 0:
            return place + 1
    return len(tokens)


def _block(token: Token, inside: Sequence[Token], lines: Sequence[str], page: int | None) -> Block | None:
    if token.type == "heading_open":
        text = " ".join(inner.content for inner in inside if inner.type == "inline")
        return Block(kind="heading", text=text, level=int(token.tag[1:]), page=page)
    if token.type in ("fence", "code_block"):
        return Block(kind="code", text=token.content.rstrip("\n"), page=page)
    if token.type == "hr" or token.map is None or (token.type == "html_block" and _COMMENT.match(token.content)):
        return None
    text = "\n".join(lines[token.map[0] : token.map[1]]).strip("\n")
    if token.type == "table_open":
        return Block(kind="table", text=text, page=page, head_lines=2)
    return Block(kind="list" if token.type in _LISTS else "paragraph", text=text, page=page)
