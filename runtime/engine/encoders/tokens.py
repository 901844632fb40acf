"""Texts as the token ids that an encoder reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.engine.checkpoints.kinds import refuse_pointer
from runtime.engine.checkpoints.model_config import CheckpointInvalid
from runtime.engine.encoders.pairs import PairFrame
from runtime.errors import RequestError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from runtime.engine.checkpoints.encoder_config import EncoderConfig


class EncoderTokens:
    """room: the tokens of the longest text, without the special ones that stand around it. pairs: how a cross-encoder
    reads two texts; None for a model that embeds.
    """

    def __init__(self, tokenizer: Tokenizer, config: EncoderConfig) -> None:
        self._tokenizer = tokenizer
        self._config = config
        # The special tokens around a text, such as [CLS] and [SEP].
        bare = tokenizer.encode("a", add_special_tokens=False).ids
        whole = tokenizer.encode("a").ids
        start = whole.index(bare[0])
        self._before, self._after = whole[:start], whole[start + len(bare) :]
        self.room = config.max_tokens - len(self._before) - len(self._after)
        self.pairs = PairFrame.of(tokenizer, config) if config.score_activation else None

    @classmethod
    def load(cls, folder: Path, config: EncoderConfig) -> EncoderTokens:
        """From `tokenizer.json`. Raises CheckpointInvalid, naming it, and where a text has no room."""
        from tokenizers import Tokenizer

        file = folder / "tokenizer.json"
        refuse_pointer(file)
        try:
            tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # `tokenizers` raises bare `Exception`
            raise CheckpointInvalid(f"`{file}` is not a usable tokenizer: {error}.") from error
        tokenizer.no_padding()
        tokenizer.no_truncation()
        # Text is data: `[SEP]` in it means these five characters, not the special token.
        tokenizer.encode_special_tokens = True
        if not tokenizer.encode("a", add_special_tokens=False).ids:
            raise CheckpointInvalid(f"`{file}` is not a usable tokenizer: it makes nothing of the text `a`.")
        made = cls(tokenizer, config)
        if (made.room if made.pairs is None else made.pairs.room - 1) < 1:
            raise CheckpointInvalid(
                f"The model in `{folder}` takes {config.max_tokens} tokens, which leaves no room for text beside the"
                " special ones.",
                hint="look for `max_seq_length` in sentence_bert_config.json and `model_max_length` in"
                " tokenizer_config.json",
            )
        return made

    def ids(self, text: str) -> list[int]:
        """All token ids of a text, without special ones."""
        clean = text.encode("utf-8", "replace").decode("utf-8")  # JSON can carry lone surrogates, UTF-8 cannot
        lowered = clean.lower() if self._config.lowercases else clean
        found: list[int] = self._tokenizer.encode(lowered, add_special_tokens=False).ids
        return found

    def framed(self, ids: Sequence[int]) -> list[int]:
        """With the special tokens around them, as the encoder reads a text. ids: `room` at most."""
        return [*self._before, *ids, *self._after]

    @property
    def inner(self) -> slice:
        """Where in a framed text its own tokens are."""
        return slice(len(self._before), -len(self._after) or None)

    def checked(self, ids: Sequence[int], at: int) -> list[int]:
        """Token ids from a caller. at: which of the caller's texts. Raises RequestError for one that does not exist."""
        vocabulary = self._config.vocab_size
        if ids and not (min(ids) >= 0 and max(ids) < vocabulary):
            outside = max(ids) if max(ids) >= vocabulary else min(ids)
            raise RequestError(
                f"Text {at} has the token id {outside}, outside the model's vocabulary of {vocabulary}.",
                hint="token ids must be made with this model's own tokenizer: send text",
                param=f"input[{at}]",
                code="invalid_value",
            )
        return list(ids)

    def fitting(self, ids: list[int], *, truncate: bool, at: int) -> list[int]:
        """Those that there is room for. Raises RequestError for more than that if they are not to be cut."""
        if len(ids) > self.room and not truncate:
            frame = self._config.max_tokens - self.room
            raise RequestError(
                f"Text {at} has {len(ids) + frame} tokens; this model takes {self._config.max_tokens}.",
                param=f"input[{at}]",
                code="context_length_exceeded",
            )
        return ids[: self.room]
