"""A tokenizer from a Meta folder's `tokenizer.model`: tiktoken ranks (Llama 3 and 4) or SentencePiece (Llama 2).

Knows the two formats, and the special tokens that are in Meta's code but not in the file.
Source: https://github.com/meta-llama/llama-models, `models/llama3/tokenizer.py` and `models/llama4/tokenizer.py`.
"""

from __future__ import annotations

import base64
import binascii
import importlib
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

from runtime.engine.checkpoints.kinds import refuse_pointer
from runtime.engine.checkpoints.model_config import CheckpointInvalid
from runtime.engine.text.special_tokens import SpecialTokens
from runtime.engine.text.tokenizer import Tokenizer, sentencepiece_piece
from runtime.engine.text.tokenizer_gguf import LLAMA_3_PATTERN, LLAMA_4_PATTERN

_LLAMA_3_SPECIAL_COUNT = 256
_LLAMA_4_SPECIAL_COUNT = 2048
_LLAMA_4_SMALLEST = 200_000  # ranks; Llama 3 has 128,000

# On longer texts tiktoken's matcher overflows its stack; on an unbroken run its time grows with the square.
_MAX_ENCODE_CHARACTERS = 400_000
_LONG_RUN = re.compile(r"\s{25000}(?=\s)|\S{25000}(?=\S)")

_RANK_LINE = re.compile(rb"[A-Za-z0-9+/=]+ \d+\s")


def tokenizer_from_meta(path: Path) -> Tokenizer:
    """The tokenizer in a `tokenizer.model`.

    Raises CheckpointInvalid, naming the file, for one that cannot be read, or the package that reading it needs.
    """
    refuse_pointer(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointInvalid(f"`{path}` cannot be read: {error}.") from error
    return _tiktoken(path, content) if _RANK_LINE.match(content) else _sentencepiece(path, content)


def llama_3_special_tokens() -> list[str]:
    """Llama 3's special tokens in the order of their ids, which follow the ranks."""
    named = ["begin_of_text", "end_of_text", "reserved_special_token_0", "reserved_special_token_1"]
    named += ["finetune_right_pad_id", "step_id", "start_header_id", "end_header_id", "eom_id", "eot_id"]
    return _with_reserved([*named, "python_tag", "image"], _LLAMA_3_SPECIAL_COUNT, first=2)


def llama_4_special_tokens() -> list[str]:
    """Llama 4's special tokens in the order of their ids, which follow the ranks."""
    named = ["begin_of_text", "end_of_text", "fim_prefix", "fim_middle", "fim_suffix"]
    named += ["header_start", "header_end", "eom", "eot", "step"]
    named += _reserved("text_post_train", range(6))
    named += ["python_start", "python_end", "finetune_right_pad"]
    named += _reserved("text_post_train", range(8, 69))
    named += ["image_start", "image_end", *_reserved("vision", range(2)), "tile_x_separator", "tile_y_separator"]
    named += [*_reserved("vision", range(2, 6)), "image", *_reserved("vision", range(6, 7)), "patch"]
    named += _reserved("vision", range(7, 1048))
    named += [*_reserved("reasoning", range(8)), "reasoning_thinking_start", "reasoning_thinking_end"]
    return _with_reserved(named, _LLAMA_4_SPECIAL_COUNT, first=0)


def _reserved(group: str, numbers: range) -> list[str]:
    return [f"{group}_reserved_special_token_{number}" for number in numbers]


def _with_reserved(named: list[str], count: int, *, first: int) -> list[str]:
    spare = [f"reserved_special_token_{first + number}" for number in range(count - len(named))]
    return [f"<|{name}|>" for name in named + spare]


def _tiktoken(path: Path, content: bytes) -> Tokenizer:
    try:
        lines = [line.split() for line in content.splitlines() if line.strip()]
        ranks = {base64.b64decode(token, validate=True): int(rank) for token, rank in lines}
    except (ValueError, binascii.Error) as error:
        raise CheckpointInvalid(f"`{path}` is not a list of tiktoken ranks: {error}.") from error
    if sorted(ranks.values()) != list(range(len(ranks))):
        raise CheckpointInvalid(f"`{path}` is damaged: its {len(ranks)} ranks are not numbered without gaps.")
    is_llama_4 = len(ranks) >= _LLAMA_4_SMALLEST
    spellings = llama_4_special_tokens() if is_llama_4 else llama_3_special_tokens()
    special = SpecialTokens({text: len(ranks) + at for at, text in enumerate(spellings)})
    encoding = _package("tiktoken", path).Encoding(
        name=path.name,
        pat_str=LLAMA_4_PATTERN if is_llama_4 else LLAMA_3_PATTERN,
        mergeable_ranks=ranks,
        special_tokens={},
    )
    pieces = {rank: token for token, rank in ranks.items()}

    def encode_plain(text: str, is_first: bool) -> list[int]:
        return [id for part in _encodable_parts(text) for id in encoding.encode_ordinary(part)]

    return Tokenizer(
        encode_plain=encode_plain,
        piece_bytes=lambda id: pieces.get(id, b""),
        special=special,
        vocab_size=len(ranks) + len(spellings),
        bos_id=special.ids["<|begin_of_text|>"],
        eos_id=special.ids["<|end_of_text|>"],
        add_bos=True,
    )


def _encodable_parts(text: str) -> Iterator[str]:
    for start in range(0, len(text), _MAX_ENCODE_CHARACTERS):
        part = text[start : start + _MAX_ENCODE_CHARACTERS]
        cuts = [0, *(run.end() for run in _LONG_RUN.finditer(part)), len(part)]
        yield from (part[a:b] for a, b in pairwise(cuts))


def _sentencepiece(path: Path, content: bytes) -> Tokenizer:
    package = _package("sentencepiece", path)
    processor: Any = package.SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(content)
    except Exception as error:  # a bare RuntimeError or TypeError of the binding, by version
        raise CheckpointInvalid(f"`{path}` is neither tiktoken ranks nor a SentencePiece model: {error}.") from error
    size = processor.GetPieceSize()
    special = SpecialTokens(
        {processor.IdToPiece(id): id for id in range(size) if processor.IsControl(id) or processor.IsUnknown(id)}
    )
    bos, eos = processor.bos_id(), processor.eos_id()
    return Tokenizer(
        encode_plain=lambda text, is_first: processor.EncodeAsIds(text),
        piece_bytes=lambda id: sentencepiece_piece(processor.IdToPiece(id)),
        special=special,
        vocab_size=size,
        bos_id=bos if bos >= 0 else None,
        eos_id=eos if eos >= 0 else None,
        add_bos=True,
        drops_first_space=True,
    )


def _package(name: str, path: Path) -> ModuleType:
    """The package `name`, imported only here since no other format needs it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise CheckpointInvalid(
            f"Reading `{path}` needs the package `{name}`, which is not installed.", hint=f"`uv pip install {name}`"
        ) from error
