"""What the server and a worker tell each other: JSON behind its length, over a socket of their own.

A task comes with the file's descriptor, so that a worker opens no path. Imports nothing that a worker has no use for.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from runtime.documents.chunking import Sizes

NO_ANSWER = msgspec.Raw(b"null")
LENGTH_BYTES = 4
"""Of the big-endian length before each message."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Of one document. memory_bytes: of address space, for the whole process. max_decompressed_bytes: of what an
    archive or a compressed stream in it becomes. max_text_bytes: of its text in UTF-8.
    """

    timeout_s: float
    memory_bytes: int
    max_pages: int
    max_decompressed_bytes: int
    max_text_bytes: int


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One document to read and cut.

    reader: `module:function`. filename, content_type: as the caller says, so never a path and never trusted.
    pages: first and last of each range, None for all. settings: the reader's own. sizes: of the chunks, None for one
    chunk. document: the members of each chunk's metadata, `document_id` among them. gives: what the answer is; a
    document is as `_readers/read_before.py` reads it, and is not cut.
    """

    reader: str
    filename: str
    content_type: str
    pages: list[tuple[int, int]] | None
    extract_metadata: bool
    clean_text: bool
    settings: dict[str, Any]
    sizes: Sizes | None
    document: dict[str, Any]
    limits: Limits
    gives: Literal["chunks", "document"] = "chunks"


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why the document cannot be read; the caller's to know. may_pass: another machine may read it."""

    message: str
    code: str | None
    hint: str | None
    may_pass: bool = False


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a task: an answer, a refusal, a package that is missing, or a bug with its traceback.

    answer: a `ProcessFileResponse` or a `Document`, else NO_ANSWER. memory_bytes: that the worker holds now. is_spent:
    it should not be used again.
    """

    answer: msgspec.Raw = NO_ANSWER
    refusal: Refusal | None = None
    missing: str | None = None
    failure: str | None = None
    memory_bytes: int = 0
    is_spent: bool = False


def framed(message: msgspec.Struct) -> bytes:
    """A message with its length before it."""
    body = msgspec.json.encode(message)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body
