"""A prompt that is too long has OpenAI's code for it, in whichever words a vendor says so."""

from __future__ import annotations

import pytest

from runtime.http.context_length import CODE, code_of
from runtime.http.vendor_errors import VendorError


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens",  # vLLM
        "the request exceeds the available context size, try increasing it",  # llama.cpp
        "The input (9000 tokens) is longer than the model's context length (8192 tokens).",  # SGLang
        "prompt is too long: 210000 tokens > 200000 maximum",  # Anthropic
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",  # Gemini
        "This model's maximum prompt length is 131072 but the request contains 150000 tokens.",  # xAI
        "Input is too long for requested model.",  # Bedrock
        "`inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens",  # TGI
    ],
)
def test_vendors_words_for_it_are_known(message: str) -> None:
    assert code_of(400, VendorError(message=message)) == CODE
    same = VendorError(message=message, type="invalid_request_error", code="invalid_request_error")
    assert code_of(400, same) == CODE, "a code that only repeats the type says nothing"
    assert code_of(400, VendorError(message=message, code="INVALID_ARGUMENT")) == CODE, "nor does Google's"


@pytest.mark.parametrize(
    ("status", "vendor", "code"),
    [
        (400, VendorError(message="maximum context length", code="string_too_long"), "string_too_long"),
        (429, VendorError(message="too many tokens this minute"), None),
        (500, VendorError(message="context length"), None),
        (400, VendorError(message="the name is too long"), None),
        (400, VendorError(), None),
    ],
)
def test_other_errors_have_the_vendor_s_code(status: int, vendor: VendorError, code: str | None) -> None:
    assert code_of(status, vendor) == code
