"""Cuts a document into chunks of a number of tokens that overlap, at the borders that its structure has.

A chunk ends between sentences, list items, rows or lines; a heading is never its last part, since it belongs to what
follows; a table that is cut repeats its head. The sizes are those of OpenAI's chunking strategies
(https://platform.openai.com/docs/api-reference/vector-stores).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from runtime.documents.document import Block, Document
from runtime.documents.tokens import Tokenizer

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*(\s+)|(?<=[\u3002\uff01\uff1f])()|(\n{2,})")
_LINE_END = re.compile(r"(\n+)")
_LONG_SENTENCE_CHARACTERS = 1_000
"""Cut at the ends of its lines too."""
_MAX_PART_CHARACTERS = 8_000
"""Counted at once; a longer sentence or row is cut."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """max_tokens: of a chunk. overlap_tokens: at most so many at the end of a chunk also begin the next one."""

    max_tokens: int
    overlap_tokens: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentChunk:
    """text: as Markdown. tokens: of the text. start, end: its place in the document, in tokens. pages: the first and
    the last that it is on, where there are pages. headings: those above its first part, the topmost first.
    """

    text: str
    tokens: int
    start: int
    end: int
    pages: tuple[int, int] | None
    headings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """What is not cut. glue: what stands between it and the part before it, if both are in a chunk. head: what is
    written before it where it begins a chunk, such as the head of its table.
    """

    text: str
    tokens: int
    glue: str
    page: int | None
    headings: tuple[str, ...]
    is_heading: bool = False
    head: str = ""
    head_tokens: int = 0


def cut(document: Document, sizes: Sizes | None, tokenizer: Tokenizer) -> list[DocumentChunk]:
    """The chunks of a document, in its order; none for an empty one. sizes: None for one chunk with everything."""
    parts = list(_parts(document.blocks, sizes, tokenizer))
    if not parts:
        return []
    places = [0, *accumulate(part.tokens for part in parts)]
    if sizes is None:
        return [_chunk(parts, places[0], places[-1], tokenizer)]
    chunks, first, fresh = [], 0, 0
    while fresh < len(parts):
        end = _end(parts, first, fresh, sizes.max_tokens)
        chunk = _chunk(parts[first:end], places[first], places[end], tokenizer)
        while chunk.tokens > sizes.max_tokens and end - first > 1:  # a text may have more tokens than its parts
            first, end = (first, end - 1) if end > fresh + 1 else (first + 1, end)
            chunk = _chunk(parts[first:end], places[first], places[end], tokenizer)
        chunks.append(chunk)
        first, fresh = _overlap_start(parts, first, end, sizes), end
    return chunks


def _end(parts: Sequence[_Part], first: int, fresh: int, max_tokens: int) -> int:
    """Where a chunk ends that begins at `first` and has at least the part at `fresh`."""
    end, total = fresh + 1, parts[first].head_tokens + sum(part.tokens for part in parts[first : fresh + 1])
    while end < len(parts) and total + parts[end].tokens <= max_tokens:
        total += parts[end].tokens
        end += 1
    if end == len(parts):
        return end
    last = end
    while last > fresh + 1 and parts[last - 1].is_heading:
        last -= 1
    return end if parts[last - 1].is_heading else last


def _overlap_start(parts: Sequence[_Part], first: int, end: int, sizes: Sizes) -> int:
    """Where the chunk after `end` begins, so that the part at `end` still has room."""
    if end == len(parts):
        return end
    room = min(sizes.overlap_tokens, sizes.max_tokens - parts[end].tokens)
    begin, total = end, 0
    while begin > first + 1 and total + parts[begin - 1].tokens + parts[begin - 1].head_tokens <= room:
        begin -= 1
        total += parts[begin].tokens
    return begin


def _chunk(parts: Sequence[_Part], start: int, end: int, tokenizer: Tokenizer) -> DocumentChunk:
    whole = parts[0].head + parts[0].text + "".join(part.glue + part.text for part in parts[1:])
    text = whole.lstrip("\n").rstrip()
    pages = [part.page for part in parts if part.page is not None]
    return DocumentChunk(
        text=text,
        tokens=tokenizer.count(text),
        start=start,
        end=end,
        pages=(min(pages), max(pages)) if pages else None,
        headings=parts[0].headings,
    )


def _parts(blocks: Sequence[Block], sizes: Sizes | None, tokenizer: Tokenizer) -> Iterator[_Part]:
    path: list[tuple[int, str]] = []
    glue = ""
    for block in blocks:
        if not block.text.strip():
            continue
        above = tuple(text for _, text in path)
        if block.kind == "heading":
            path = [*(entry for entry in path if entry[0] < block.level), (block.level, block.text)]
            above = tuple(text for _, text in path[:-1])
        yield from _parts_of(block, glue, above, sizes, tokenizer)
        glue = "\n\n"


def _parts_of(
    block: Block, glue: str, above: tuple[str, ...], sizes: Sizes | None, tokenizer: Tokenizer
) -> Iterator[_Part]:
    """glue: before the block."""
    is_heading = block.kind == "heading"
    head, head_tokens = "", 0
    if sizes is None or is_heading:
        mark = "#" * min(max(block.level, 1), 6) + " " if is_heading else ""
        lines = [(glue, mark + block.text)]
    else:
        lines = _lines(block, glue)
        if len(lines) > block.head_lines > 0:
            head, lines = _head_and_rows(lines, block.head_lines)
            head_tokens = tokenizer.count(head)
        if head_tokens > sizes.max_tokens // 2:
            head, head_tokens = "", 0  # no room for rows would be left
    for index, (before, text) in enumerate(lines):
        repeated = bool(head) and index > 0
        limit = None if sizes is None else sizes.max_tokens - (head_tokens if repeated else 0)
        for piece, tokens in _small(before, text, limit, tokenizer):
            yield _Part(
                text=piece,
                tokens=tokens,
                glue=before,
                page=block.page,
                headings=above,
                is_heading=is_heading,
                head=head if repeated else "",
                head_tokens=head_tokens if repeated else 0,
            )
            before = ""


def _lines(block: Block, glue: str) -> list[tuple[str, str]]:
    """The sentences of a paragraph, or the lines of anything else, each after what stands before it in the block."""
    if block.kind != "paragraph":
        return list(_at(_LINE_END, block.text, glue))
    found: list[tuple[str, str]] = []
    for before, sentence in _at(_SENTENCE_END, block.text, glue):
        is_long = len(sentence) > _LONG_SENTENCE_CHARACTERS
        found += _at(_LINE_END, sentence, before) if is_long else [(before, sentence)]
    return found


def _at(border: re.Pattern[str], text: str, glue: str) -> Iterator[tuple[str, str]]:
    """What is between borders, each after its border."""
    start = 0
    for end in border.finditer(text):
        between = end[end.lastindex or 0]
        if piece := text[start : end.end() - len(between)]:
            yield glue, piece
        glue, start = between, end.end()
    if start < len(text):
        yield glue, text[start:]


def _head_and_rows(lines: list[tuple[str, str]], head_lines: int) -> tuple[str, list[tuple[str, str]]]:
    """The head of a table as it is repeated, and the rows, of which the first has it before."""
    glue, head = lines[0][0], "\n".join(text for _, text in lines[:head_lines]) + "\n"
    first = head + lines[head_lines][1]
    return head, [(glue, first), *lines[head_lines + 1 :]]


def _small(glue: str, text: str, max_tokens: int | None, tokenizer: Tokenizer) -> Iterator[tuple[str, int]]:
    """A text in as many pieces as it takes for each to be within the limit, each with its tokens. glue: before it, and
    counted with it.
    """
    for start in range(0, len(text), len(text) if max_tokens is None else _MAX_PART_CHARACTERS):
        whole = text if max_tokens is None else text[start : start + _MAX_PART_CHARACTERS]
        tokens = tokenizer.count(glue + whole)
        if max_tokens is None or tokens <= max_tokens:
            yield whole, tokens
        else:
            for piece in tokenizer.split(whole, max_tokens):
                yield piece, tokenizer.count(piece)
        glue = ""
