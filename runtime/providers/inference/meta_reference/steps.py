"""What a trace tells of an answer of our engine: the tokens of all of it, and the steps that each choice took.

    queue     from the request until the engine has begun its prompt
    prefill   from there to its first token
    decode    from its first token to its last

All of it is made when an answer is over, of the times that the engine notes anyway; a token costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from runtime.engine.text.text_stream import TextStream
from runtime.providers.inference.meta_reference.usage import Usage
from runtime.telemetry import conventions as names
from runtime.telemetry.spans import Attribute, Span

_MOST_CHOICES = 16
"""Of a request, those whose steps are told."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """The steps of a request's answers. span: what they belong to. streams: of its choices. prompts: how many tokens
    each prompt has. began_s: when the engine was asked, of `time.perf_counter()`.
    """

    span: Span
    streams: Sequence[TextStream]
    prompts: Sequence[int]
    began_s: float

    def note(self, usage: Usage) -> None:
        """Note what has been done by now: of an answer that was left or that failed too. Nothing before a token."""
        if not usage.completion_tokens:
            return
        _note_tokens(self.span, usage)
        for choice, stream in enumerate(self.streams[:_MOST_CHOICES]):
            if (timing := stream.timing) is None:
                continue
            which: dict[str, Attribute] = {names.ENGINE_CHOICE: choice} if len(self.streams) > 1 else {}
            prompt, written = self.prompts[choice // usage.each], usage.completion_tokens.get(choice, 0)
            begun_s = self.began_s + timing.waited_s
            first_s = begun_s + timing.prompt_s
            self.span.note("queue", which.copy(), self.began_s, begun_s)
            cached = timing.cached_tokens
            self.span.note(
                "prefill", {**which, names.ENGINE_TOKENS: prompt, names.ENGINE_CACHED: cached}, begun_s, first_s
            )
            decoded: dict[str, Attribute] = {**which, names.ENGINE_TOKENS: written}
            if written > 1 and timing.rest_s > 0:  # the first token comes with the prompt
                decoded[names.ENGINE_RATE] = round((written - 1) / timing.rest_s, 3)
            self.span.note("decode", decoded, first_s, first_s + timing.rest_s)


def _note_tokens(span: Span, usage: Usage) -> None:
    """How many tokens it took, which the answer itself says only where it is asked to."""
    attributes = span.attributes
    attributes[names.INPUT_TOKENS], attributes[names.OUTPUT_TOKENS] = usage.prompt_tokens, usage.written
    attributes[names.CACHE_READ_TOKENS] = usage.cached_tokens
    if usage.reasoning_tokens:
        attributes[names.REASONING_TOKENS] = sum(usage.reasoning_tokens.values())


def now_s() -> float:
    """As spans count time."""
    return time.perf_counter()
