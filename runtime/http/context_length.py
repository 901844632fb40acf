"""Tells the error for a prompt longer than a model's context, whose code few vendors have, by their words for it."""

from __future__ import annotations

import re

from runtime.http.vendor_errors import VendorError

CODE = "context_length_exceeded"
"""OpenAI's; also Groq's and Cerebras's."""
_STATUSES = (400, 413, 422)
_GENERAL = (None, "INVALID_ARGUMENT")
"""Codes that say no more than the status: none, and Google's."""
_WORDS = re.compile(
    "|".join(
        (
            r"maximum context length",  # vLLM, DeepSeek, Mistral, OpenRouter, Fireworks
            r"context (?:length|size|window)",  # SGLang, llama.cpp, LM Studio
            r"prompt is too long",  # Anthropic, Fireworks
            r"input token count .{0,40}exceeds",  # Gemini
            r"maximum prompt length",  # xAI
            r"input is too long",  # Bedrock
            r"too many tokens",  # Cohere
            r"`inputs` tokens \+ `max_new_tokens`",  # TGI, Together
        )
    ),
    re.IGNORECASE,
)


def code_of(status: int, vendor: VendorError) -> str | None:
    """The vendor's own code, or `CODE` in place of one that says no more than the error's type."""
    says_nothing = vendor.code in _GENERAL or vendor.code == vendor.type
    if says_nothing and status in _STATUSES and _WORDS.search(vendor.message or ""):
        return CODE
    return vendor.code
