"""A language model that reads and writes text: chats in, text with stop strings out, over an engine that knows ids.

Knows text; no tensors, no HTTP. Calls and reasoning are found in it by an `AnswerReader`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from runtime.engine.requests.grammar import Grammar, GrammarInvalid, Grammars
from runtime.engine.text.answer_grammar import AnswerForm, answer_grammar
from runtime.engine.text.answer_reader import AnswerReader
from runtime.engine.text.reasoning import END_THINK, THINK, ReasoningReader
from runtime.engine.text.stop_strings import StopStrings
from runtime.engine.text.text_stream import Assembly, TextStream
from runtime.engine.text.tokenizer import Tokenizer
from runtime.engine.text.tool_calls import CallReader
from runtime.engine.text.tool_dialects import PYTHON_TAG
from runtime.errors import NotSupported

if TYPE_CHECKING:
    from runtime.engine.requests.messages import TokenOutput
    from runtime.engine.requests.sampling_params import SamplingParams
    from runtime.engine.text.chat_messages import Message
    from runtime.engine.text.chat_template import ChatTemplate, Tool


class TokenEngine(Protocol):
    """The part of an engine that this file uses."""

    def generate(
        self, prompt: Sequence[int], params: SamplingParams, *, priority: int = 0, cache_salt: str = ""
    ) -> AsyncIterator[TokenOutput]: ...


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
        to seconds: not for an event loop. Raises GrammarInvalid for one that cannot be compiled, NotSupported for a
        model that has no token to end an answer with.
        """
        source = answer_grammar(form, self.tokenizer.special)
        if source is not None and not self._ends:
            raise NotSupported("This model has no token that ends an answer, so its answers take no form and no tools.")
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
        priority: int = 0,
        cache_salt: str = "",
    ) -> TextStream:
        """Text that continues `prompt_ids`, up to a stop string, an end token or a limit; none of these is shown.

        shown: special tokens that are spelt out in the text; the others are left out. priority, cache_salt: see
        `Engine.generate`.
        Raises RequestError for an empty stop string, and all that `generate` of the engine raises. Closing the stream
        closes the engine's.
        """
        ends = frozenset() if params.ignore_eos else self._ends
        # A checkpoint may declare fewer end tokens than its vocabulary has; the engine must stop at all of them.
        params = replace(params, stop_token_ids=params.stop_token_ids | ends)
        assembly = Assembly(self.tokenizer, StopStrings(stop), ends, prompt_ids, shown)
        tokens = self.engine.generate(prompt_ids, params, priority=priority, cache_salt=cache_salt)
        return TextStream(tokens, assembly)


def grammars_of(tokenizer: Tokenizer, ends: Collection[int]) -> Grammars:
    """The grammars of a tokenizer's vocabulary. ends: the ids that end an answer."""
    return Grammars(
        tokens=lambda: [tokenizer.token_bytes(id) for id in range(tokenizer.vocab_size)],
        special_ids=sorted(tokenizer.special.spellings),
        end_ids=sorted(ends),
    )
