"""The settings of `remote::docling-serve`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from runtime.apis._names import ServerAddress
from runtime.providers.file_processors._service.config import ProcessorConfig


class DoclingServeConfig(ProcessorConfig):
    """Of `remote::docling-serve`."""

    base_url: ServerAddress = Field("http://localhost:5001", description="The server's address, with or without `/v1`.")
    api_key: SecretStr | None = Field(None, description="Its `DOCLING_SERVE_API_KEY`, if it has one.")
    mode: Literal["async", "sync", "auto"] = Field(
        "async", description="Whether to wait in one request, or ask until it is done; `auto` waits for small files."
    )
    do_ocr: bool = Field(True, description="Whether the text in images is read.")
    conversion_timeout_s: float = Field(600.0, gt=0, description="The longest that a conversion may take, in seconds.")
