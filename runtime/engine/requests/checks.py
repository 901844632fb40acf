"""What an engine refuses before it starts a sequence. Knows token ids and limits."""

from __future__ import annotations

from collections.abc import Sequence

from runtime import errors
from runtime.engine.requests.sampling_params import SamplingParams

# A bound on the work per token; OpenAI allows 20.
MAX_LOGPROBS = 100


def check_length(prompt_tokens: int, context_tokens: int) -> None:
    """Raises RequestError for an empty prompt, or one that leaves no room in the context."""
    if not prompt_tokens:
        raise errors.RequestError("The prompt has no tokens.", param="prompt", code="empty_prompt")
    if prompt_tokens >= context_tokens:
        raise errors.RequestError(
            f"The prompt has {prompt_tokens} tokens; with a completion it exceeds the context of {context_tokens}.",
            hint="shorten the prompt",
            param="prompt",
            code="context_length_exceeded",
        )


def check_ids(prompt: Sequence[int], params: SamplingParams, vocab_size: int) -> None:
    """Raises RequestError for ids outside the vocabulary, and for more log-probabilities than are given."""
    for name, ids in (
        ("prompt", prompt),
        ("logit_bias", params.logit_bias),
        ("stop_token_ids", params.stop_token_ids),
    ):
        if ids and not (min(ids) >= 0 and max(ids) < vocab_size):
            outside = max(ids) if max(ids) >= vocab_size else min(ids)
            raise errors.RequestError(
                f"`{name}` has the token id {outside}, outside the model's vocabulary of {vocab_size}.",
                param=name,
                code="invalid_value",
            )
    if params.logprobs is not None and params.logprobs > MAX_LOGPROBS:
        raise errors.RequestError(
            f"`logprobs` is {params.logprobs}; at most {MAX_LOGPROBS} are given.",
            param="logprobs",
            code="invalid_value",
        )
