"""The answer about a document, as the API has it: its chunks with what is said about each, and about the whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import msgspec

from runtime.clock import wall_time
from runtime.documents.chunking import DocumentChunk
from runtime.documents.document import Document
from runtime.documents.tokens import Tokenizer
from runtime.providers.file_processors._worker.messages import Task

_MAX_NAME_CHARACTERS = 300
"""Of a heading or a title: each chunk repeats it, and a hostile document makes it as long as itself."""


def answer(task: Task, document: Document, chunks: Sequence[DocumentChunk], tokenizer: Tokenizer) -> bytes:
    """A `ProcessFileResponse` as JSON, without what only the server knows about the run."""
    whole: dict[str, Any] = {"block_count": len(document.blocks)}
    about = dict(task.document)
    if task.extract_metadata:
        said = (("title", document.title), ("author", document.author))
        named = {name: _short(value) for name, value in said if value}
        about |= named
        whole |= {**named, **document.metadata}
    if document.page_count is not None:
        whole["page_count"] = document.page_count
    if (method := document.metadata.get("extraction_method")) is not None:
        whole["extraction_method"] = method
    about_tokens = tokenizer.count(msgspec.json.encode(about).decode())
    now = int(wall_time())
    found = [_chunk(chunk, task, about, about_tokens, tokenizer.name, now) for chunk in chunks]
    return msgspec.json.encode({"chunks": found, "metadata": whole})


def _short(name: str) -> str:
    return name if len(name) <= _MAX_NAME_CHARACTERS else name[: _MAX_NAME_CHARACTERS - 1] + "\u2026"


def _chunk(
    chunk: DocumentChunk, task: Task, about: dict[str, Any], about_tokens: int, tokenizer: str, now: int
) -> dict[str, Any]:
    document_id = task.document["document_id"]
    window = f"{chunk.start}-{chunk.end}"
    chunk_id = str(uuid5(NAMESPACE_OID, f"{document_id}:{window}:{chunk.text}"))
    metadata = dict(about)
    if chunk.pages is not None:
        metadata["page_number"], metadata["last_page_number"] = chunk.pages
    if chunk.headings:
        metadata["headings"] = [_short(heading) for heading in chunk.headings]
    return {
        "content": chunk.text,
        "chunk_id": chunk_id,
        "metadata": metadata,
        "chunk_metadata": {
            "chunk_id": chunk_id,
            "document_id": document_id,
            "source": task.document.get("filename"),
            "created_timestamp": now,
            "updated_timestamp": now,
            "chunk_window": window,
            "chunk_tokenizer": tokenizer,
            "content_token_count": chunk.tokens,
            "metadata_token_count": about_tokens,
        },
    }
