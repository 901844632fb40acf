"""The tokens that an answer counts: OpenAI's endpoints have two names for each, and other vendors leave some out."""

from __future__ import annotations

import msgspec


class _Details(msgspec.Struct):
    """cached_tokens, cache_write_tokens: of what went in; the latter is what a vendor charges for keeping."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    reasoning_tokens: int | None = None


_NO_DETAILS = _Details()


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
    def counted(self) -> tuple[int | None, int | None, int | None, int | None]:
        """What went in, what of it was cached, what came out, and what of that was reasoning; None where it is not
        told.
        """
        asked = self.prompt_tokens if self.input_tokens is None else self.input_tokens
        answered = self.completion_tokens if self.output_tokens is None else self.output_tokens
        thought = self.written.reasoning_tokens
        if thought and asked is not None and answered is not None and self.total_tokens == asked + answered + thought:
            answered += thought  # xAI counts it beside the answer: https://docs.x.ai/docs/guides/reasoning
        return asked, self.read.cached_tokens, answered, thought

    @property
    def read(self) -> _Details:
        """What went in, more closely."""
        return self.input_tokens_details or self.prompt_tokens_details or _NO_DETAILS

    @property
    def written(self) -> _Details:
        """The same of what came out."""
        return self.output_tokens_details or self.completion_tokens_details or _NO_DETAILS
