"""Text from tokens while they arrive: what can be shown, with which log-probabilities, and where it ends.

Knows token ids and text; no engine, no tensors.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from runtime.engine.text.detokenizer import Detokenizer
from runtime.engine.text.stop_strings import StopStrings
from runtime.engine.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from runtime.engine.requests.messages import FinishReason, Prefill, PromptLogprob, TokenOutput


@dataclass(frozen=True)
class TopLogprob:
    """One of the likeliest tokens in a place. logprob: natural logarithm.

    bytes: what it would add to the text; empty for a special token. text: the same with U+FFFD for incomplete
    characters; a special token's spelling.
    """

    text: str
    bytes: bytes
    logprob: float


@dataclass(frozen=True)
class TextToken(TopLogprob):
    """A token of the answer, with the likeliest ones in its place. offset: where it begins, in characters."""

    top_logprobs: tuple[TopLogprob, ...] = ()
    offset: int = 0


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long an answer took. cached_tokens: of its prompt, which were found computed. waited_s: before its prompt was
    begun. prompt_s: from there to its first token. rest_s: from its first token to its last.
    """

    cached_tokens: int
    waited_s: float
    prompt_s: float
    rest_s: float


@dataclass(frozen=True, kw_only=True)
class TextOutput:
    """The next part of an answer.

    tokens: those that begin in `text`, if log-probabilities were asked for. prompt: on the first output, if asked for:
    the tokens of the prompt; the first has NaN for its log-probability, since nothing comes before it.
    finish_reason: only on the last output. completion_tokens: so far, the end token included. timing: on the last
    output, where the engine measures it.
    """

    text: str
    tokens: tuple[TextToken, ...] = ()
    prompt: tuple[TextToken, ...] = ()
    finish_reason: FinishReason | None = None
    prompt_tokens: int
    completion_tokens: int
    timing: Timing | None = None


class TextStream:
    """An async iterator of TextOutput. `aclose` ends it early, also before the first output."""

    def __init__(self, tokens: AsyncIterator[TokenOutput], assembly: Assembly) -> None:
        self._tokens = tokens
        self._assembly = assembly

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> TextOutput:
        # A loop, not a generator: `aclose` on a generator that was never started would not reach the engine.
        while not self._assembly.is_finished:
            try:
                output = self._assembly.push(await anext(self._tokens))
            except BaseException:
                await self.aclose()
                raise
            if output is not None:
                if output.finish_reason is not None:
                    await self.aclose()
                return output
        raise StopAsyncIteration

    @property
    def timing(self) -> Timing | None:
        """Of the whole answer, or of what there is by now; None before the first token."""
        return self._assembly.timing

    async def aclose(self) -> None:
        self._assembly.is_finished = True
        close = getattr(self._tokens, "aclose", None)  # not every iterator has one
        if close is not None:
            await close()


class Assembly:
    """Text from tokens, one at a time: what can be shown, with which tokens, and whether the answer ends."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        stops: StopStrings,
        ends: frozenset[int],
        prompt: Sequence[int],
        shown: frozenset[int],
    ) -> None:
        self.is_finished = False
        self._tokenizer = tokenizer
        self._hidden = tokenizer.special.spellings.keys() - shown
        self._stops = stops
        self._ends = ends
        self._prompt = prompt
        self._completion_tokens = 0
        self._detokenizer = Detokenizer()
        self._decoded = 0  # characters so far, shown and held back
        self._shown = 0
        self._waiting: deque[TextToken] = deque()
        self._prompt_shown: tuple[TextToken, ...] = ()  # until they are returned
        self._prefill: Prefill | None = None
        self._first_at_s = 0.0
        self._timing: Timing | None = None  # of the whole

    def push(self, token: TokenOutput) -> TextOutput | None:
        """The output after `token`; None while all its text is held back."""
        self._completion_tokens += 1
        is_end = token.token_id in self._ends or token.finish_reason == "stop"
        is_shown = not is_end and token.token_id not in self._hidden
        data = self._tokenizer.token_bytes(token.token_id) if is_shown else b""
        if token.logprob is not None and not is_end:
            self._waiting.append(self._described(token.token_id, token.logprob, token.top_logprobs, self._offset(data)))
        if token.prefill is not None:
            self._prefill, self._first_at_s = token.prefill, token.at_s
        if token.prompt is not None:
            self._prompt_shown = self._described_prompt(token.prompt)
        text, is_stopped = self._show(self._detokenizer.push(data) if data else "")
        finish_reason: FinishReason | None = "stop" if is_stopped or is_end else token.finish_reason
        if finish_reason is not None and not is_stopped:
            rest, is_stopped = self._show(self._detokenizer.finish())
            text += rest if is_stopped else rest + self._stops.flush()
            finish_reason = "stop" if is_stopped else finish_reason
        self._shown += len(text)
        self.is_finished = finish_reason is not None
        if self.is_finished:
            self._timing = self._timing_at(token.at_s)
        tokens = self._tokens_shown(all=self.is_finished and not is_stopped)
        if not text and not tokens and finish_reason is None:
            return None
        prompt, self._prompt_shown = self._prompt_shown, ()
        return TextOutput(
            text=text,
            tokens=tokens,
            prompt=prompt,
            finish_reason=finish_reason,
            prompt_tokens=len(self._prompt),
            completion_tokens=self._completion_tokens,
            timing=self._timing,
        )

    @property
    def timing(self) -> Timing | None:
        """Of the whole answer, or of what there is by now; None before the first token, and where the engine measures
        nothing.
        """
        return self._timing or self._timing_at(time.monotonic())

    def _timing_at(self, at_s: float) -> Timing | None:
        """As of `at_s`, of `time.monotonic()`."""
        if self._prefill is None:
            return None
        return Timing(
            cached_tokens=self._prefill.cached_tokens,
            waited_s=self._prefill.waited_s,
            prompt_s=self._prefill.computed_s,
            rest_s=at_s - self._first_at_s,
        )

    def _show(self, text: str) -> tuple[str, bool]:
        self._decoded += len(text)
        return self._stops.push(text)

    def _offset(self, data: bytes) -> int:
        """Where `data`, the next token's bytes, begins, in characters of the answer."""
        return self._decoded + self._detokenizer.breaks_off(data)

    def _tokens_shown(self, *, all: bool) -> tuple[TextToken, ...]:
        shown = []
        while self._waiting and (all or self._waiting[0].offset < self._shown):
            shown.append(self._waiting.popleft())
        return tuple(shown)

    def _described_prompt(self, logprobs: Sequence[PromptLogprob]) -> tuple[TextToken, ...]:
        """The prompt's tokens, with their places in its text as `Tokenizer.decode` gives it."""
        special = self._tokenizer.special.spellings
        detokenizer, at, found = Detokenizer(), 0, list[TextToken]()
        dropped = 0  # characters that decoding leaves out at the beginning
        known = [(self._prompt[0], math.nan, ()), *((one.token_id, one.logprob, one.top_logprobs) for one in logprobs)]
        for id, logprob, top in known:
            data = b"" if id in special else self._tokenizer.token_bytes(id)
            offset = at + detokenizer.breaks_off(data)
            found.append(self._described(id, logprob, top, max(0, offset - dropped)))
            if data and not at and self._tokenizer.drops_first_space and data.startswith(b" "):
                dropped = 1
            at += len(detokenizer.push(data))
        return tuple(found)

    def _described(self, id: int, logprob: float, top: tuple[tuple[int, float], ...], offset: int = 0) -> TextToken:
        others = tuple(TopLogprob(*self._text_and_bytes(other), value) for other, value in top)
        return TextToken(*self._text_and_bytes(id), logprob, others, offset)

    def _text_and_bytes(self, id: int) -> tuple[str, bytes]:
        spelling = self._tokenizer.special.spellings.get(id)
        if spelling is not None:
            return spelling, b""
        data = self._tokenizer.token_bytes(id)
        return data.decode("utf-8", "replace"), data
