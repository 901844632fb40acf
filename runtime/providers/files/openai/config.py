"""Settings of files at OpenAI."""

from __future__ import annotations

from pydantic import Field, SecretStr

from runtime.apis._names import ServerAddress
from runtime.providers.files._shared.config import FilesConfig


class OpenAIFilesConfig(FilesConfig):
    """The vendor's address and key, and the settings of all providers of files."""

    base_url: ServerAddress = Field(
        "https://api.openai.com/v1",
        description="The address of the API with its version path. The default is OpenAI's.",
    )
    api_key: SecretStr | None = Field(
        None,
        description="The key; without one, requests send theirs in `X-LlamaStack-Provider-Data`, and what expires here "
        "stays there.",
    )
