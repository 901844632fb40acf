"""The settings of `remote::unstructured-api`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from runtime.apis._names import ServerAddress
from runtime.providers.file_processors._service.config import ProcessorConfig


class UnstructuredApiConfig(ProcessorConfig):
    """Of `remote::unstructured-api`."""

    base_url: ServerAddress = Field(
        "https://api.unstructuredapp.io", description="The server's address, with or without `/general/v0/general`."
    )
    api_key: SecretStr | None = Field(
        None, description="The key; without one, requests send theirs in `X-LlamaStack-Provider-Data`."
    )
    strategy: Literal["auto", "fast", "hi_res", "ocr_only", "vlm"] = Field(
        "auto", description="How it reads documents."
    )
    languages: list[str] = Field(default_factory=lambda: ["eng"], description="Of the text in images.")
    conversion_timeout_s: float = Field(600.0, gt=0, description="The longest silence of the server, in seconds.")
