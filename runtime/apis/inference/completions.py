"""Text completions. https://platform.openai.com/docs/api-reference/completions"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.apis._request import Response, example
from runtime.apis.inference._shared import (
    GeneratedAnswer,
    GeneratedChoice,
    Inputs,
    Sampling,
)


class CompletionRequest(Sampling):
    """A text to continue: one, several, or token ids."""

    model_config = example(model="SmolLM2-135M-Instruct", prompt="The capital of France is", max_tokens=10)

    prompt: Inputs = Field(description="The text to continue; or several; or token ids of the model's vocabulary.")
    suffix: str | None = Field(None, description="Text that follows the answer. Default: none.")
    echo: bool | None = Field(None, description="Put the prompt before the answer. Default false.")
    logprobs: int | None = Field(
        None,
        ge=0,
        le=20,
        description="Return the log-probability of each token, and of this many of the likeliest tokens in its place."
        " Default: none.",
    )
    best_of: int | None = Field(
        None, ge=1, le=20, description="Make this many answers and return the `n` best of them. Default: `n`."
    )


class CompletionLogprobs(Response):
    """Log-probabilities of a text's tokens, each list with an entry for each token."""

    tokens: list[str] | None = Field(None, description="Their texts.")
    token_logprobs: list[float | None] | None = Field(
        None, description="Their log-probabilities (natural); null for the first token of an echoed prompt."
    )
    top_logprobs: list[dict[str, float] | None] | None = Field(
        None, description="The likeliest tokens in each place, and the chosen one."
    )
    text_offset: list[int] | None = Field(None, description="Where each begins in the text, in characters.")


class CompletionChoice(GeneratedChoice):
    """One answer, or the next part of one."""

    text: str = Field(description="The text; in a stream the part that is new.")
    logprobs: CompletionLogprobs | None = Field(None, description="Log-probabilities; null unless asked for.")


class Completion(GeneratedAnswer):
    """A whole text completion, or one event of a streamed one."""

    object: Literal["text_completion"] = "text_completion"
    choices: list[CompletionChoice] = Field(description="The answers, `n` for each prompt; in a stream the new parts.")
