"""Text without marks: paragraphs between empty lines, in whatever encoding."""

from __future__ import annotations

import re
from typing import BinaryIO

from runtime.documents.document import Block, Document
from runtime.providers.file_processors._readers.encodings import decoded
from runtime.providers.file_processors._readers.reading import Reading, whole

_EMPTY_LINES = re.compile(r"\n[ \t]*\n\s*")


def read(file: BinaryIO, reading: Reading) -> Document:
    text = text_of(whole(file, reading.max_decompressed_bytes))
    blocks = [Block(kind="paragraph", text=part) for part in paragraphs(text)]
    return Document(blocks=tuple(blocks), metadata={"extraction_method": "text"})


def paragraphs(text: str) -> list[str]:
    """The parts of a text between empty lines."""
    return [part for part in _EMPTY_LINES.split(text) if part.strip()]


def text_of(content: bytes) -> str:
    """The text in its own encoding. Lines end in `\\n`. NULs are left out, since some stores of texts refuse them."""
    text = decoded(content).replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\x00", "")
