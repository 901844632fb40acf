"""The settings that all file processors have: how text is cut, and how much a document may take."""

from __future__ import annotations

import os
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from runtime.apis._chunk_sizes import DEFAULT_CHUNK_TOKENS, DEFAULT_OVERLAP_TOKENS

_MIB = 1024 * 1024
_OF_DOCUMENTS = {"max_pages", "max_decompressed_bytes", "max_text_bytes"}


class ProcessorConfig(BaseModel):
    """A document that goes beyond a limit is refused with a 400 that names it."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    default_chunk_size_tokens: int = Field(
        DEFAULT_CHUNK_TOKENS, ge=100, le=4096, description="The most tokens of a chunk, if the strategy is `auto`."
    )
    default_chunk_overlap_tokens: int = Field(
        DEFAULT_OVERLAP_TOKENS, ge=0, le=2048, description="The most tokens that two such chunks share."
    )
    extract_metadata: bool = Field(True, description="Whether chunks have title, author and the like.")
    clean_text: bool = Field(True, description="Whether blanks and empty lines in running text are reduced.")
    max_file_size_bytes: int = Field(100 * _MIB, ge=1, description="The largest file, in bytes; a 413 beyond.")
    max_pages: int = Field(500, ge=1, description="The most pages that are read of a document.")
    max_decompressed_bytes: int = Field(
        256 * _MIB, ge=1, description="What the contents of an archive may become, in bytes."
    )
    max_text_bytes: int = Field(20 * _MIB, ge=1, description="The most text of a document, in bytes.")
    max_memory_bytes: int = Field(
        1536 * _MIB, ge=256 * _MIB, description="The address space of the process that reads, in bytes."
    )
    timeout_s: float = Field(120.0, gt=0, description="The longest that reading a document may take, in seconds.")
    workers: int = Field(
        min(2, os.cpu_count() or 1), ge=1, le=64, description="How many documents are read at once, each in a process."
    )
    max_waiting: int = Field(64, ge=0, description="How many documents may wait for a process; a 429 beyond.")

    job_ttl_s: float = Field(
        7 * 86_400.0,
        gt=0,
        description="How long the result of a job is kept, in seconds; also a document that is not processed.",
    )

    def settings(self, *, only_changed: bool = False) -> dict[str, Any]:
        """Those that only this kind of provider has, for its reader. only_changed: without those at their defaults."""
        own = set(type(self).model_fields) - set(ProcessorConfig.model_fields)
        return self.model_dump(mode="json", include=own, exclude_defaults=only_changed)

    def changed_limits(self) -> dict[str, Any]:
        """Those that decide which documents are read, whatever the machine, where they are not at their defaults."""
        return self.model_dump(mode="json", include=_OF_DOCUMENTS, exclude_defaults=True)
