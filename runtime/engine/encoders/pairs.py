"""A query and a document as the one text that a cross-encoder reads: the special tokens around and between them, which
token is of which segment, and what is cut where they are too long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from runtime.engine.checkpoints.encoder_config import EncoderConfig


@dataclass(frozen=True)
class _Piece:
    """A special token, or the place of a text. text: which, 0 or 1; None for a token. segment: of all its tokens."""

    token: int
    text: int | None
    segment: int


@dataclass(frozen=True)
class PairFrame:
    """How a tokenizer frames two texts. room: the tokens of the longest pair, without the special ones."""

    pieces: tuple[_Piece, ...]
    room: int

    @classmethod
    def of(cls, tokenizer: Tokenizer, config: EncoderConfig) -> PairFrame:
        """As it frames two short texts. A segment that the model does not have becomes its last one."""
        found = tokenizer.encode("a", "a")
        pieces: list[_Piece] = []
        for token, text, segment in zip(found.ids, found.sequence_ids, found.type_ids, strict=True):
            if text is None or not any(piece.text == text for piece in pieces):
                pieces.append(_Piece(token, text, min(segment, config.segments - 1)))
        return cls(tuple(pieces), config.max_tokens - sum(piece.text is None for piece in pieces))

    def framed(self, query: Sequence[int], document: Sequence[int]) -> tuple[list[int], list[int]]:
        """Token ids as a cross-encoder reads them, and the segment of each. Both texts: `room` ids at most."""
        ids: list[int] = []
        segments: list[int] = []
        for piece in self.pieces:
            tokens = [piece.token] if piece.text is None else (query, document)[piece.text]
            ids += tokens
            segments += [piece.segment] * len(tokens)
        return ids, segments


def longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    """How many tokens are kept of each of two texts: the longer is cut down to the other's length, then both are.

    first, second, room: in tokens. As the library `tokenizers` cuts by its strategy `longest_first`.
    """
    if first + second <= room:
        return first, second
    short = min(first, second, room // 2)
    return (short, room - short) if first <= second else (room - short, short)
