"""One tokenizer for every source format: text to token ids and back, and the bytes of one token.

Knows which ids are special and how plain text is cut around them; not the files that vocabularies come from
(`tokenizer_gguf.py`, `tokenizer_hugging_face.py`, `tokenizer_meta.py`), not chats, not sequences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set

from runtime.engine.text.control_spellings import KNOWN
from runtime.engine.text.special_tokens import SpecialTokens

WORD_MARK = "\u2581"  # what SentencePiece writes for a space


class Tokenizer:
    """Text to ids and back for one vocabulary. Its methods may be called from several threads.

    encode_plain: text without special tokens to ids; its second argument says whether the prompt begins with it.
    piece_bytes: id to the bytes it stands for, for every id below `vocab_size` that is not special.
    bos_id, eos_id: as the vocabulary declares them. ends: spellings that end an answer, if they are special tokens.
    end_ids: more ids that end an answer; the attribute has all of them, `eos_id` included.
    add_bos: whether prompts begin with `bos_id`. drops_first_space: whether decoding removes the space that encoding
    puts before the first word (SentencePiece's dummy prefix).
    """

    def __init__(
        self,
        *,
        encode_plain: Callable[[str, bool], list[int]],
        piece_bytes: Callable[[int], bytes],
        special: SpecialTokens,
        vocab_size: int,
        bos_id: int | None,
        eos_id: int | None,
        end_ids: Iterable[int] = (),
        ends: Set[str] = KNOWN.ends,
        add_bos: bool = False,
        drops_first_space: bool = False,
    ) -> None:
        self.special = special
        self.vocab_size = vocab_size
        self.bos_id = bos_id
        self.eos_id = eos_id
        named = {special.ids[text] for text in ends & special.ids.keys()}
        self.end_ids = frozenset({*end_ids, *named} | ({eos_id} if eos_id is not None else set()))
        self.add_bos = add_bos and bos_id is not None
        self._encode_plain = encode_plain
        self._piece_bytes = piece_bytes
        self.drops_first_space = drops_first_space

    def encode(self, text: str, *, add_bos: bool | None = None, allow_special: bool = False) -> list[int]:
        """Token ids of `text`. add_bos: begin with `bos_id`; None does as in the model's training.

        allow_special: spellings of special tokens become those tokens; leave it off for text from users.
        """
        pieces = self.special.split(text) if allow_special else ([text] if text else [])
        return self._join(pieces, self.add_bos if add_bos is None else add_bos)

    def encode_shielded(self, text: str, mark: str) -> list[int]:
        """Token ids of a rendered template, with its special tokens, except where `SpecialTokens.shield` put `mark`.

        Begins with one `bos_id` where the model has one, whether or not the template writes it.
        """
        return self._join(self.special.split(text, mark), self.add_bos)

    def _join(self, pieces: Iterable[str | int], add_bos: bool) -> list[int]:
        ids: list[int] = []
        for at, piece in enumerate(pieces):
            if isinstance(piece, int):
                ids.append(piece)
            else:
                ids += self._encode_plain(_encodable(piece), at == 0)
        if add_bos and self.bos_id is not None and ids[:1] != [self.bos_id]:
            ids.insert(0, self.bos_id)
        return ids

    def decode(self, ids: Sequence[int], *, show_special: bool = False) -> str:
        """The text of `ids`, with U+FFFD for bytes that are not UTF-8. show_special: spell special tokens out."""
        shown = ids if show_special else [id for id in ids if id not in self.special.spellings]
        text = b"".join(map(self.token_bytes, shown)).decode("utf-8", "replace")
        return text.removeprefix(" ") if self.drops_first_space else text

    def token_bytes(self, id: int) -> bytes:
        """The bytes that `id` adds to a text, perhaps only a part of a character; for a special token its spelling.

        Empty for the ids with which models pad their vocabulary.
        """
        spelling = self.special.spellings.get(id)
        if spelling is not None:
            return spelling.encode("utf-8")
        return self._piece_bytes(id) if 0 <= id < self.vocab_size else b""

    def spelling(self, id: int | None) -> str:
        """The spelling of a special token, for templates; empty for None."""
        return "" if id is None else self.token_bytes(id).decode("utf-8", "replace")


def byte_alphabet() -> dict[str, int]:
    """The character that stands for each byte in a byte-level vocabulary. Radford et al. 2019, GPT-2's `encoder.py`.

    Printable Latin-1 stands for itself, the other bytes for the characters from U+0100 on, in order.
    """
    itself = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in itself]
    return {chr(byte): byte for byte in itself} | {chr(0x100 + at): byte for at, byte in enumerate(others)}


def byte_level_piece(alphabet: dict[str, int], piece: str) -> bytes:
    """The bytes of a piece spelt in `alphabet`; of any other piece (one added later, say) those of its text."""
    try:
        return bytes(map(alphabet.__getitem__, piece))
    except KeyError:
        return piece.encode("utf-8", "surrogateescape")


def sentencepiece_piece(piece: str) -> bytes:
    """The bytes of a SentencePiece piece: one byte, spelt like `<0x0A>`, or text with U+2581 for spaces."""
    if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
        try:
            return bytes([int(piece[3:5], 16)])
        except ValueError:
            pass  # text that only looks like a byte
    return piece.replace(WORD_MARK, " ").encode("utf-8", "surrogateescape")


def _encodable(text: str) -> str:
    """`text` with lone surrogates as U+FFFD: JSON can hold them, but UTF-8 and the encoders cannot."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
