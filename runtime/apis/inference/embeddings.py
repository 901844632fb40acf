"""Embeddings. https://platform.openai.com/docs/api-reference/embeddings"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.apis._names import ResourceId
from runtime.apis._request import ExtensibleRequest, Response, example
from runtime.apis.inference._shared import USER, AnsweredBy, Inputs


class EmbeddingsRequest(ExtensibleRequest):
    """Texts (or token ids) to turn into vectors."""

    model_config = example(model="all-MiniLM-L6-v2", input=["A llama grazes.", "It rains."])

    model: ResourceId = Field(
        min_length=1, description="The embedding model: `provider_id/provider_model_id`, or an alias."
    )
    input: Inputs = Field(description="The text; or several; or token ids of the model's vocabulary.")
    encoding_format: Literal["float", "base64"] | None = Field(
        None, description="float: a list of numbers. base64: little-endian float32. Default float."
    )
    dimensions: int | None = Field(
        None, ge=1, description="Numbers per vector, where the model can make shorter ones. Default: all it makes."
    )
    user: str | None = USER


class EmbeddingsUsage(Response):
    """Tokens of a request."""

    prompt_tokens: int = Field(0, description="Tokens read.")
    total_tokens: int = Field(0, description="The same: nothing is written.")


class Embedding(Response):
    """The vector of one text."""

    index: int = Field(description="Which text of the request it is of, from 0.")
    object: Literal["embedding"] = "embedding"
    embedding: list[float] | str = Field(description="The vector, as `encoding_format` says.")


class EmbeddingsResponse(Response):
    """One vector for each text, in order."""

    object: Literal["list"] = "list"
    data: list[Embedding] = Field(description="The vectors, in the order of the texts.")
    model: AnsweredBy
    usage: EmbeddingsUsage = Field(description="Token counts.")
