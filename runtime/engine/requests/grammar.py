"""Constrained decoding: which tokens may come next so that an answer keeps to a grammar. Knows token ids and grammars
in llguidance's Lark dialect (https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md); no tensors, no chats.

    Grammars (one a model) --compile--> Grammar (one a request) --matcher--> Matcher (one a sequence)

llguidance is imported with the first grammar. A grammar comes from a request, so all work on it is bounded: the limits
below end a compilation or a step, and the callers bound what could overflow the native stack (`text/json_schema.py`,
`text/answer_grammar.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ctypes import addressof, c_char
from threading import Lock
from typing import TYPE_CHECKING

from runtime.errors import RequestError

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer

# Limits of llguidance, besides its own that keep a step below about 20 ms and a compilation below about a second.
_ITEMS_IN_ROW = 10_000  # an object with thousands of optional properties
_LEXER_STATES = 50_000  # 1 to 2 kB each
_GRAMMAR_SIZE = 200_000
_MASK_WORD = 32  # bits
_NO_EXTENSION = ("NoExtension", "NoExtensionBias")  # errors of a grammar that can go no further


class GrammarInvalid(RequestError):
    """A grammar that cannot be compiled."""

    code = "invalid_grammar"


class Grammars:
    """Compiles grammars for one vocabulary. Its methods may be called from several threads.

    tokens: the bytes of each id. special_ids: ids that are structure, not text. end_ids: those that end an answer, at
    least one.
    """

    def __init__(
        self,
        *,
        tokens: Callable[[], Sequence[bytes]],
        special_ids: Sequence[int],
        end_ids: Sequence[int],
    ) -> None:
        self._tokens = tokens
        self._special_ids, self._end_ids = list(special_ids), list(end_ids)
        self._lock = Lock()
        self._tokenizer: LLTokenizer | None = None

    def compile(self, source: str) -> Grammar:
        """A grammar from Lark text, or from llguidance's JSON list of grammars. Takes milliseconds, at most seconds.

        Raises GrammarInvalid with llguidance's reason, also where a limit is exceeded.
        """
        from llguidance import LLMatcher, LLParserLimits

        limits = LLParserLimits(
            max_items_in_row=_ITEMS_IN_ROW,
            max_lexer_states=_LEXER_STATES,
            max_grammar_size=_GRAMMAR_SIZE,
            verbose_errors=False,
        )
        vocabulary = self._vocabulary()
        matcher = LLMatcher(vocabulary, LLMatcher.grammar_from_lark(source), log_level=0, limits=limits)
        if matcher.is_error():
            raise GrammarInvalid(f"The grammar cannot be compiled: {short_reason(matcher.get_error())}.")
        grammar = Grammar(matcher, vocabulary.vocab_size)
        try:
            grammar.matcher().allowed()
        except RequestError as error:
            raise GrammarInvalid(error.message) from error
        return grammar

    def _vocabulary(self) -> LLTokenizer:
        with self._lock:
            if self._tokenizer is None:
                from llguidance import LLTokenizer, TokenizerWrapper

                self._tokenizer = LLTokenizer(TokenizerWrapper(self._described()), eos_token=self._end_ids)
            return self._tokenizer

    def _described(self) -> object:
        return _Description(self._tokens(), self._special_ids, self._end_ids[0])


class _Description:
    """A vocabulary with the attributes that llguidance reads."""

    bos_token_id = None

    def __init__(self, tokens: Sequence[bytes], special_ids: list[int], eos_id: int) -> None:
        self.tokens = tokens
        self.special_token_ids = special_ids
        self.eos_token_id = eos_id
        special = set(special_ids)
        self._ids = {token: id for id, token in enumerate(tokens) if token and id not in special}
        self._longest = max(map(len, self._ids), default=0)

    def __call__(self, text: str) -> list[int]:
        """Some ids for `text`: the longest token in each place, up to a byte that has none."""
        data, ids, at = text.encode("utf-8"), list[int](), 0
        while size := next((n for n in range(self._longest, 0, -1) if data[at : at + n] in self._ids), 0):
            ids.append(self._ids[data[at : at + size]])
            at += size
        return ids


class Grammar:
    """One compiled grammar. vocab_size: of the tokenizer."""

    def __init__(self, compiled: LLMatcher, vocab_size: int) -> None:
        self._compiled = compiled
        self._mask_bytes = -(-vocab_size // _MASK_WORD) * _MASK_WORD // 8

    def matcher(self) -> Matcher:
        """A matcher at the beginning of an answer; takes microseconds."""
        return Matcher(self._compiled.deep_copy(), self._mask_bytes)


class Matcher:
    """Where one answer stands in its grammar. It belongs to the engine's thread."""

    def __init__(self, matcher: LLMatcher, mask_bytes: int) -> None:
        self._matcher = matcher
        self._mask, self._nothing = bytearray(mask_bytes), bytes(mask_bytes)
        self._mask_address = addressof(c_char.from_buffer(self._mask))

    def allowed(self) -> bytearray:
        """One bit for each id of the tokenizer's vocabulary, the lowest of each byte first: 1 where the token may come
        next. Bits that fill up the last word of 32 are 0. The next call writes into the same bytes.

        Raises RequestError where the grammar has become too complex to follow, or allows no token.
        """
        self._matcher.unsafe_compute_mask_ptr(self._mask_address, len(self._mask))
        reason = short_reason(self._matcher.get_error())
        if reason in _NO_EXTENSION or (not reason and self._mask == self._nothing):
            raise RequestError("No answer fits the grammar.", code="grammar_without_answer")
        if reason:
            raise RequestError(
                f"The answer's grammar has become too complex to follow: {reason}.",
                hint="use a simpler schema or grammar",
                code="grammar_too_complex",
            )
        return self._mask

    def accept(self, token_id: int) -> None:
        """Go on past a token that `allowed` has allowed."""
        self._matcher.consume_token(token_id)


def short_reason(message: str) -> str:
    """llguidance's message without the grammar that it quotes."""
    lines = [line for line in message.split("\n<")[0].splitlines() if " | " not in line]
    return " ".join(" ".join(lines).split()).removesuffix(".")[:500]
