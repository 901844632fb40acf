"""A language model that reads and writes text: chats in, text with stop strings out, over an engine that knows ids.

Knows text; no tensors, no HTTP. Calls and reasoning are found in it by an `AnswerReader`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

from runtime.engine.grammar import Grammar, GrammarInvalid, Grammars
from runtime.engine.text.answer_grammar import AnswerForm, answer_grammar
from runtime.engine.text.answer_reader import AnswerReader
from runtime.engine.text.detokenizer import Detokenizer
from runtime.engine.text.reasoning import END_THINK, THINK, ReasoningReader
from runtime.engine.text.stop_strings import StopStrings
from runtime.engine.text.tokenizer import Tokenizer
from runtime.engine.text.tool_calls import CallReader
from runtime.engine.text.tool_dialects import PYTHON_TAG
from runtime.errors import NotSupported

if TYPE_CHECKING:
    from runtime.engine.messages import FinishReason, TokenOutput
    from runtime.engine.sampling_params import SamplingParams
    from runtime.engine.text.chat_messages import Message
    from runtime.engine.text.chat_template import ChatTemplate, Tool


class TokenEngine(Protocol):
    """The part of an engine that this file uses."""

    def generate(self, prompt: Sequence[int], params: SamplingParams) -> AsyncIterator[TokenOutput]: ...


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
class TextOutput:
    """The next part of an answer.

    tokens: those that begin in `text`, if log-probabilities were asked for.
    finish_reason: only on the last output. completion_tokens: so far, the end token included.
    """

    text: str
    tokens: tuple[TextToken, ...] = ()
    finish_reason: FinishReason | None = None
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class ChatPrompt:
    """The prompt for a chat, as token ids. opens_reasoning: the answer continues reasoning that it has begun."""

    ids: list[int]
    opens_reasoning: bool = False


class TextModel:
    """An engine with its tokenizer and chat template.

    template: None for a model without chats. vocab_size: the engine's; a tokenizer may have more ids, for which there
    are no weights.
    """

    def __init__(
        self,
        engine: TokenEngine,
        tokenizer: Tokenizer,
        template: ChatTemplate | None = None,
        *,
        vocab_size: int | None = None,
    ) -> None:
        self.engine = engine
        self.tokenizer = tokenizer
        self.template = template
        self._ends = frozenset(id for id in tokenizer.end_ids if vocab_size is None or id < vocab_size)
        self._grammars = grammars_of(tokenizer, self._ends)

    def render_chat(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool] | None = None,
        *,
        add_generation_prompt: bool = True,
        variables: Mapping[str, Any] | None = None,
    ) -> ChatPrompt:
        """The prompt for a chat; special tokens come from the template alone, never from the messages.

        Raises RequestError for messages that this model cannot take, NotSupported where it takes no chats.
        """
        rendered = self.chats.render(
            messages,
            tools,
            special=self.tokenizer.special,
            add_generation_prompt=add_generation_prompt,
            variables=variables,
        )
        return ChatPrompt(self.tokenizer.encode_shielded(rendered.text, rendered.mark), rendered.opens_reasoning)

    @property
    def chats(self) -> ChatTemplate:
        """The chat template. Raises NotSupported where the model takes no chats."""
        if self.template is None:
            raise NotSupported(
                "This model has no chat template.", hint="use `/v1/completions`, or a model tuned for chats"
            )
        return self.template

    def grammar(self, form: AnswerForm) -> Grammar | None:
        """The grammar that makes an answer look like `form`; None where every answer does. Takes milliseconds, or up
        to seconds: not for an event loop. Raises GrammarInvalid for one that cannot be compiled.
        """
        source = answer_grammar(form, self.tokenizer.special)
        try:
            return None if source is None else self._grammars.compile(source)
        except GrammarInvalid as error:
            error.param = "tools" if form.text is None else form.text.param
            raise

    def reader(self, form: AnswerForm) -> AnswerReader:
        """What splits an answer that looks like `form` into its parts."""
        reasoning = ReasoningReader(is_open=form.is_open) if form.reasons else None
        if form.calls is None:
            return AnswerReader(reasoning)
        names = {function.name for function in form.calls.functions}
        return AnswerReader(reasoning, CallReader(form.calls.dialect, names))

    def structure_in(self, form: AnswerForm) -> frozenset[int]:
        """The special tokens that `reader` needs to see: they begin or end calls and reasoning."""
        dialect = form.calls.dialect if form.calls is not None else None
        texts = [THINK, END_THINK] if form.reasons else []
        if dialect is not None:
            texts += [PYTHON_TAG, dialect.trigger, dialect.closing]
        special = self.tokenizer.special
        return frozenset(piece for text in texts for piece in special.split(text) if isinstance(piece, int))

    def generate_text(
        self,
        prompt_ids: Sequence[int],
        params: SamplingParams,
        stop: Sequence[str] = (),
        *,
        shown: frozenset[int] = frozenset(),
    ) -> TextStream:
        """Text that continues `prompt_ids`, up to a stop string, an end token or a limit; none of these is shown.

        shown: special tokens that are spelt out in the text; the others are left out.
        Raises RequestError for an empty stop string, and all that `generate` of the engine raises. Closing the stream
        closes the engine's.
        """
        ends = frozenset() if params.ignore_eos else self._ends
        # A checkpoint may declare fewer end tokens than its vocabulary has; the engine must stop at all of them.
        params = replace(params, stop_token_ids=params.stop_token_ids | ends)
        assembly = _Assembly(self.tokenizer, StopStrings(stop), ends, len(prompt_ids), shown)
        return TextStream(self.engine.generate(prompt_ids, params), assembly)


def grammars_of(tokenizer: Tokenizer, ends: Collection[int]) -> Grammars:
    """The grammars of a tokenizer's vocabulary. ends: the ids that end an answer."""
    return Grammars(
        tokens=lambda: [tokenizer.token_bytes(id) for id in range(tokenizer.vocab_size)],
        special_ids=sorted(tokenizer.special.spellings),
        end_ids=sorted(ends),
        encode=tokenizer.encode_within,
    )


class TextStream:
    """An async iterator of TextOutput. `aclose` ends it early, also before the first output."""

    def __init__(self, tokens: AsyncIterator[TokenOutput], assembly: _Assembly) -> None:
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

    async def aclose(self) -> None:
        self._assembly.is_finished = True
        close = getattr(self._tokens, "aclose", None)  # not every iterator has one
        if close is not None:
            await close()


class _Assembly:
    """Text from tokens, one at a time: what can be shown, with which tokens, and whether the answer ends."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        stops: StopStrings,
        ends: frozenset[int],
        prompt_tokens: int,
        shown: frozenset[int],
    ) -> None:
        self.is_finished = False
        self._tokenizer = tokenizer
        self._hidden = tokenizer.special.spellings.keys() - shown
        self._stops = stops
        self._ends = ends
        self._prompt_tokens = prompt_tokens
        self._completion_tokens = 0
        self._detokenizer = Detokenizer()
        self._decoded = 0  # characters so far, shown and held back
        self._shown = 0
        self._waiting: deque[TextToken] = deque()

    def push(self, token: TokenOutput) -> TextOutput | None:
        """The output after `token`; None while all its text is held back."""
        self._completion_tokens += 1
        is_end = token.token_id in self._ends or token.finish_reason == "stop"
        is_shown = not is_end and token.token_id not in self._hidden
        data = self._tokenizer.token_bytes(token.token_id) if is_shown else b""
        if token.logprob is not None and not is_end:
            self._waiting.append(self._described(token.token_id, token.logprob, token.top_logprobs, self._offset(data)))
        text, is_stopped = self._show(self._detokenizer.push(data) if data else "")
        finish_reason: FinishReason | None = "stop" if is_stopped or is_end else token.finish_reason
        if finish_reason is not None and not is_stopped:
            rest, is_stopped = self._show(self._detokenizer.finish())
            text += rest if is_stopped else rest + self._stops.flush()
            finish_reason = "stop" if is_stopped else finish_reason
        self._shown += len(text)
        self.is_finished = finish_reason is not None
        tokens = self._tokens_shown(all=self.is_finished and not is_stopped)
        if not text and not tokens and finish_reason is None:
            return None
        return TextOutput(
            text=text,
            tokens=tokens,
            finish_reason=finish_reason,
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._completion_tokens,
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

    def _described(self, id: int, logprob: float, top: tuple[tuple[int, float], ...], offset: int = 0) -> TextToken:
        others = tuple(TopLogprob(*self._text_and_bytes(other), value) for other, value in top)
        return TextToken(*self._text_and_bytes(id), logprob, others, offset)

    def _text_and_bytes(self, id: int) -> tuple[str, bytes]:
        spelling = self._tokenizer.special.spellings.get(id)
        if spelling is not None:
            return spelling, b""
        data = self._tokenizer.token_bytes(id)
        return data.decode("utf-8", "replace"), data
