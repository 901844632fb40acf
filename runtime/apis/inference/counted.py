"""The tokens that an answer counts: OpenAI's endpoints have two names for each, and other vendors leave some out."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class _Details(msgspec.Struct):
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class Counted(NamedTuple):
    """What went in, what of it was cached, what came out, and what of that was reasoning; None where it is not told."""

    asked: int | None
    cached: int | None
    answered: int | None
    reasoning: int | None


class Usage(msgspec.Struct):
    """The member `usage` of an answer, under all its names."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    input_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None

    @property
    def counted(self) -> Counted:
        read = self.input_tokens_details or self.prompt_tokens_details or _Details()
        written = self.output_tokens_details or self.completion_tokens_details or _Details()
        return Counted(
            self.prompt_tokens if self.input_tokens is None else self.input_tokens,
            read.cached_tokens,
            self.completion_tokens if self.output_tokens is None else self.output_tokens,
            written.reasoning_tokens,
        )
