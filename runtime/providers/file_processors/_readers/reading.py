"""What a reader is asked: which document, which of its pages, within which limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from runtime.documents.document import Document
from runtime.providers.file_processors._readers.refusals import over_limit


@dataclass(frozen=True, kw_only=True)
class Reading:
    """filename, content_type: as the caller says, so only a hint. pages: first and last of each range, counted from 1;
    None for all. max_decompressed_bytes: of what an archive or a stream becomes. settings: of the reader alone.
    """

    filename: str = ""
    content_type: str = ""
    pages: tuple[tuple[int, int], ...] | None = None
    max_pages: int = 500
    max_decompressed_bytes: int = 256 * 1024 * 1024
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def extension(self) -> str:
        """Of the file's name, in lower case, without the dot; empty without one."""
        _, dot, extension = self.filename.rpartition(".")
        return extension.lower() if dot else ""

    def wanted_pages(self, count: int) -> list[int]:
        """Those of a document with so many pages, counted from 1. Raises RequestError for more than are read."""
        wanted = [page for page in range(1, count + 1) if self.wants(page)] if self.pages else range(1, count + 1)
        if len(wanted) > self.max_pages:
            raise over_limit(
                f"{len(wanted)} pages are more than the {self.max_pages} that are read",
                hint="read a part of them with `page_range` in `options`, or raise `max_pages` of the provider",
            )
        return list(wanted)

    def wants(self, page: int) -> bool:
        return self.pages is None or any(first <= page <= last for first, last in self.pages)


class Reader(Protocol):
    """Reads a document. Raises RequestError with the reason if that is not possible, MemoryError and RecursionError."""

    def __call__(self, file: BinaryIO, reading: Reading) -> Document: ...


def whole(file: BinaryIO, limit_bytes: int) -> bytes:
    """All bytes of a file. Raises RequestError beyond the limit."""
    content = file.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise over_limit(f"The document is larger than the {limit_bytes} bytes that are read")
    return content
