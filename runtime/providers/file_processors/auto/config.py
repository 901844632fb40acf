"""The settings of `inline::auto`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.providers.file_processors._service.config import ProcessorConfig

ReaderName = Literal[
    "text", "markdown", "html", "csv", "json", "pypdf", "markitdown", "epub", "tesseract", "docling", "unstructured"
]


class AutoConfig(ProcessorConfig):
    """Of `inline::auto`."""

    priority: list[ReaderName] = Field(
        default_factory=list,
        description="Who reads a document that several can read, the first that is installed. The usual one otherwise.",
    )
    languages: list[str] = Field(
        default_factory=lambda: ["eng"], min_length=1, description="Of the text in images, as tesseract names them."
    )
