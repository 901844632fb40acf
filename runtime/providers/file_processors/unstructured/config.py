"""The settings of `inline::unstructured`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.providers.file_processors._service.config import ProcessorConfig

_GIB = 1024**3


class UnstructuredConfig(ProcessorConfig):
    """Of `inline::unstructured`. Its models take more memory and time than others."""

    strategy: Literal["auto", "fast", "hi_res", "ocr_only"] = Field("auto", description="How it reads documents.")
    include_page_breaks: bool = Field(True, description="Whether it marks where pages end.")
    skip_infer_table_types: list[str] = Field(
        default_factory=lambda: ["pdf"], description="The kinds of documents whose tables it reads as text."
    )
    extract_images_in_pdf: bool = Field(False, description="Whether it takes images out of PDFs.")
    languages: list[str] = Field(default_factory=lambda: ["eng"], description="Of the text in images.")
    max_memory_bytes: int = Field(
        16 * _GIB, ge=_GIB, description="The address space of the process that reads, in bytes."
    )
    timeout_s: float = Field(600.0, gt=0, description="The longest that reading a document may take, in seconds.")
