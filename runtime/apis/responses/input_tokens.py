"""How many tokens a response would read. https://platform.openai.com/docs/api-reference/responses/input-tokens"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.apis._request import Response, example
from runtime.apis.responses.request import CreateResponseRequest


class CountInputTokensRequest(CreateResponseRequest):
    """A response that is not made. Fields that only concern its answer mean nothing here."""

    model_config = example(model="SmolLM2-135M-Instruct", input="What is the capital of Japan?")


class InputTokens(Response):
    """What the model would read at first: instructions, history, input and tools."""

    object: Literal["response.input_tokens"] = "response.input_tokens"
    input_tokens: int = Field(
        description="Tokens. For a model of the embedded engine by its own tokenizer; for any other an estimate with"
        " OpenAI's `cl100k_base`, and then `x-llama-warnings` says so."
    )
