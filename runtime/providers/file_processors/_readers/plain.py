"""Text without marks: paragraphs between empty lines, in whatever encoding."""

from __future__ import annotations

import codecs
import re
from typing import BinaryIO

from runtime.documents.document import Block, Document
from runtime.providers.file_processors._readers.reading import Reading, whole

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, with whose mark it begins
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_EMPTY_LINES = re.compile(r"\n[ \t]*\n\s*")
_GUESSED_BYTES = 64 * 1024


def read(file: BinaryIO, reading: Reading) -> Document:
    text = text_of(whole(file, reading.max_decompressed_bytes))
    blocks = [Block(kind="paragraph", text=part) for part in paragraphs(text)]
    return Document(blocks=tuple(blocks), metadata={"extraction_method": "text"})


def paragraphs(text: str) -> list[str]:
    """The parts of a text between empty lines."""
    return [part for part in _EMPTY_LINES.split(text) if part.strip()]


def text_of(content: bytes) -> str:
    """The text in its own encoding: by its mark, UTF-8, or the likeliest one. Lines end in `\\n`. NULs are left out,
    since some stores of texts refuse them.
    """
    text = _decoded(content).replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\x00", "")


def marked_encoding(content: bytes) -> str | None:
    """The encoding that the first bytes state; None if they state none."""
    return next((encoding for mark, encoding in _MARKS if content.startswith(mark)), None)


def _decoded(content: bytes) -> str:
    if (marked := marked_encoding(content)) is not None:
        return content.decode(marked, errors="replace")
    try:
        return content.decode()
    except UnicodeDecodeError:
        from charset_normalizer import from_bytes  # seldom needed, and takes 0.1 s

        best = from_bytes(content[:_GUESSED_BYTES]).best()
        return content.decode(best.encoding if best is not None else "cp1252", errors="replace")
