"""A tokenizer from the metadata of a GGUF file. Keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#tokenizer

Knows the keys, the token types and how each pre-tokenizer kind cuts text; not the container (`engine/gguf.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from tokenizers import AddedToken, Regex, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Encoder

from runtime.engine.checkpoints.model_config import CheckpointInvalid
from runtime.engine.text.control_spellings import KNOWN, ControlSpellings, looks_like_control
from runtime.engine.text.special_tokens import SpecialTokens
from runtime.engine.text.tokenizer import (
    WORD_MARK,
    Tokenizer,
    byte_alphabet,
    byte_level_piece,
    sentencepiece_piece,
)


class TokenType(IntEnum):
    """Values of `tokenizer.ggml.token_type` (llama.cpp's `enum llama_token_type`)."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


_SPECIAL_TYPES = (TokenType.UNKNOWN, TokenType.CONTROL)

_CONTRACTIONS = "'s|'t|'re|'ve|'m|'ll|'d"
_GPT2 = rf"{_CONTRACTIONS}| ?\p{{L}}+| ?\p{{N}}+| ?[^\s\p{{L}}\p{{N}}]+|\s+(?!\S)|\s+"
_LETTERS = rf"(?i:{_CONTRACTIONS})|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+"
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"

LLAMA_3_PATTERN = rf"{_LETTERS}|\p{{N}}{{1,3}}|{_REST}"
LLAMA_4_PATTERN = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+(?i:{_CONTRACTIONS})?"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*(?i:{_CONTRACTIONS})?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True, kw_only=True)
class _Cut:
    """How one kind of pre-tokenizer cuts text into words.

    patterns: each is applied to the words of the one before it; its matches, and the text between them, are words.
    takes_whole_words: a word that is in the vocabulary is one token, whatever the merges say. composes: characters are
    composed first (Unicode NFC). adds_bos: prompts begin with `bos_id` unless the file says otherwise.
    """

    patterns: tuple[str, ...]
    takes_whole_words: bool = False
    composes: bool = False
    adds_bos: bool = False


# By the names in `tokenizer.ggml.pre`. Patterns: llama.cpp, `llama-vocab.cpp`, `llm_tokenizer_bpe`.
_LLAMA_3 = _Cut(patterns=(LLAMA_3_PATTERN,), takes_whole_words=True, adds_bos=True)
_CUTS = {
    "default": _Cut(patterns=(r"[\p{P}\$\+<=>\^~\|]+", _GPT2, r"\p{N}+", r"[0-9][0-9][0-9]")),
    "gpt-2": _Cut(patterns=(_GPT2,)),
    "smollm": _Cut(patterns=(r"\p{N}", _GPT2)),
    "llama-bpe": _LLAMA_3,
    "llama3": _LLAMA_3,
    "llama-v3": _LLAMA_3,
    "llama4": _Cut(patterns=(LLAMA_4_PATTERN,), takes_whole_words=True, adds_bos=True),
    # Qwen's own tokenizer composes characters (NFC) first; llama.cpp does not.
    "qwen2": _Cut(patterns=(rf"{_LETTERS}|\p{{N}}|{_REST}",), composes=True),
}


def tokenizer_from_gguf(metadata: Mapping[str, Any], name: str, control: ControlSpellings = KNOWN) -> Tokenizer:
    """The tokenizer that `metadata` describes: `gpt2` (byte-level BPE) or `llama` (SentencePiece BPE with scores).

    name: the file, for messages. control: spellings that are control tokens whatever their type says.
    Raises CheckpointInvalid for missing or unknown parts, naming those that this engine knows.
    """
    tokens: list[str] = _required(metadata, "tokens", name)
    kinds: dict[str, Callable[[_Vocabulary], Tokenizer]] = {"gpt2": _byte_level, "llama": _sentencepiece}
    kind = _required(metadata, "model", name)
    if kind not in kinds:
        raise CheckpointInvalid(
            f"`{name}` has a tokenizer of the kind `{kind}`, which this engine cannot read.",
            hint=f"take a file whose `tokenizer.ggml.model` is {' or '.join(f'`{known}`' for known in kinds)}",
        )
    types = metadata.get("tokenizer.ggml.token_type")
    types = [TokenType.NORMAL] * len(tokens) if types is None else list(map(int, types))
    if len(types) != len(tokens):
        raise CheckpointInvalid(f"`{name}` has {len(tokens)} tokens but {len(types)} token types.")
    vocabulary = _Vocabulary(metadata=metadata, name=name, tokens=tokens, types=types, ends=control.ends)
    try:
        vocabulary.correct_types(control.all)
        return kinds[kind](vocabulary)
    except CheckpointInvalid:
        raise
    except Exception as error:  # `tokenizers` raises bare `Exception` for a vocabulary it cannot use
        raise CheckpointInvalid(f"`{name}` has an unusable vocabulary: {error}.") from error


def _required(metadata: Mapping[str, Any], key: str, name: str) -> Any:
    value = metadata.get(f"tokenizer.ggml.{key}")
    if value is None:
        raise CheckpointInvalid(f"`{name}` has no `tokenizer.ggml.{key}`, so its text cannot be read.")
    return value


@dataclass(frozen=True, kw_only=True)
class _Vocabulary:
    metadata: Mapping[str, Any]
    name: str
    tokens: list[str]
    types: list[int]
    ends: frozenset[str]

    def correct_types(self, control: frozenset[str]) -> None:
        """Set the type of tokens that are spelt or declared as control tokens."""
        declared = {id for id in self._declared().values() if 0 <= id < len(self.tokens)}
        for id, text in enumerate(self.tokens):
            if text in control or (id in declared and looks_like_control(text)):
                self.types[id] = TokenType.CONTROL

    def of_types(self, *types: TokenType) -> dict[str, int]:
        return {text: id for id, (text, type) in enumerate(zip(self.tokens, self.types, strict=True)) if type in types}

    def required(self, key: str) -> Any:
        return _required(self.metadata, key, self.name)

    def get(self, key: str, default: Any = None) -> Any:
        return self.metadata.get(f"tokenizer.ggml.{key}", default)

    def declared_ids(self) -> dict[str, Any]:
        ids = self._declared()
        wrong = {key: id for key, id in ids.items() if not 0 <= id < len(self.tokens)}
        if wrong:
            raise CheckpointInvalid(f"`{self.name}` declares tokens it does not have: {wrong}.")
        return {
            "bos_id": ids.get("bos"),
            "eos_id": ids.get("eos"),
            "end_ids": [id for key, id in ids.items() if key != "bos"],
            "ends": self.ends,
        }

    def _declared(self) -> dict[str, int]:
        found = {key: self.get(f"{key}_token_id") for key in ("bos", "eos", "eot", "eom")}
        return {key: int(id) for key, id in found.items() if id is not None}


def _byte_level(vocabulary: _Vocabulary) -> Tokenizer:
    pre = vocabulary.get("pre", "default")
    if pre not in _CUTS:
        raise CheckpointInvalid(
            f"`{vocabulary.name}` cuts text in the way `{pre}`, which this engine does not know.",
            hint=f"take a file whose `tokenizer.ggml.pre` is one of {', '.join(f'`{known}`' for known in _CUTS)}",
        )
    cut = _CUTS[pre]
    special = SpecialTokens(vocabulary.of_types(*_SPECIAL_TYPES))
    # The encoder has no special tokens: with `takes_whole_words` plain text spelt like one would become it.
    pieces = {text: id for id, text in enumerate(vocabulary.tokens) if special.spellings.get(id) != text}
    merges = [
        (left, right)
        for left, found, right in (merge.partition(" ") for merge in vocabulary.required("merges"))
        if found and left in pieces and right in pieces and left + right in pieces
    ]
    encoder = Encoder(models.BPE(vocab=pieces, merges=merges, ignore_merges=cut.takes_whole_words))
    if cut.composes:
        encoder.normalizer = normalizers.NFC()
    splits = [pre_tokenizers.Split(Regex(pattern), behavior="isolated") for pattern in cut.patterns]
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    encoder.pre_tokenizer = pre_tokenizers.Sequence([*splits, to_bytes])
    user_defined = vocabulary.of_types(TokenType.USER_DEFINED)
    _add_user_defined(encoder, user_defined)
    alphabet = byte_alphabet()

    def piece_bytes(id: int) -> bytes:
        text = vocabulary.tokens[id]
        return text.encode("utf-8", "surrogateescape") if text in user_defined else byte_level_piece(alphabet, text)

    return Tokenizer(
        encode_plain=lambda text, is_first: encoder.encode(text, add_special_tokens=False).ids,
        piece_bytes=piece_bytes,
        special=special,
        vocab_size=len(vocabulary.tokens),
        add_bos=vocabulary.get("add_bos_token", cut.adds_bos),
        **vocabulary.declared_ids(),
    )


def _sentencepiece(vocabulary: _Vocabulary) -> Tokenizer:
    """SentencePiece in BPE mode (Kudo and Richardson 2018, section 3.2): the pair of neighbours whose piece has
    the best score is merged first, so the scores are the order of merges.
    """
    scores = vocabulary.required("scores")
    special = SpecialTokens(vocabulary.of_types(*_SPECIAL_TYPES))
    user_defined = vocabulary.of_types(TokenType.USER_DEFINED)
    user_defined = {text.replace(" ", WORD_MARK): id for text, id in user_defined.items()}
    normal = vocabulary.of_types(TokenType.NORMAL)
    merges: list[tuple[float, int, str, str]] = []
    for piece, id in normal.items():
        for middle in range(1, len(piece)):
            left, right = piece[:middle], piece[middle:]
            if left in normal and right in normal:
                merges.append((-float(scores[id]), id, left, right))
    merges.sort(key=lambda merge: merge[:2])
    unknown = next(iter(vocabulary.of_types(TokenType.UNKNOWN).items()), None)
    pieces = normal | user_defined | vocabulary.of_types(TokenType.BYTE) | dict([unknown] if unknown else [])
    encoder = Encoder(
        models.BPE(
            vocab=pieces,
            merges=[(left, right) for _, _, left, right in merges],
            unk_token=unknown[0] if unknown else None,
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    _add_user_defined(encoder, user_defined)
    adds_space = vocabulary.get("add_space_prefix", True)

    def encode_plain(text: str, is_first: bool) -> list[int]:
        # Also after special tokens: Meta's own code encodes each turn of a chat separately, with a space.
        words = (" " + text if adds_space else text).replace(" ", WORD_MARK)
        return encoder.encode(words, add_special_tokens=False).ids

    return Tokenizer(
        encode_plain=encode_plain,
        piece_bytes=lambda id: sentencepiece_piece(vocabulary.tokens[id]),
        special=special,
        vocab_size=len(vocabulary.tokens),
        add_bos=vocabulary.get("add_bos_token", True),
        drops_first_space=adds_space,
        **vocabulary.declared_ids(),
    )


def _add_user_defined(encoder: Encoder, texts: Mapping[str, int]) -> None:
    """Make `encoder` find `texts` before it cuts text into words. They are already in the model's vocabulary."""
    if texts:
        encoder.add_tokens([AddedToken(text, normalized=False) for text in texts])
