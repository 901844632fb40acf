"""The settings of `inline::docling`."""

from __future__ import annotations

from pydantic import Field

from runtime.providers.file_processors._service.config import ProcessorConfig

_GIB = 1024**3


class DoclingConfig(ProcessorConfig):
    """Of `inline::docling`. Its models take more memory and time than others."""

    do_ocr: bool = Field(True, description="Whether the text in images is read.")
    vlm_model: None = Field(None, description="A vision model in place of those for layout, which is not supported.")
    max_memory_bytes: int = Field(
        16 * _GIB, ge=_GIB, description="The address space of the process that reads, in bytes."
    )
    timeout_s: float = Field(600.0, gt=0, description="The longest that reading a document may take, in seconds.")
    workers: int = Field(1, ge=1, le=64, description="How many documents are read at once, each in a process.")
