"""A tokenizer from a Hugging Face folder: `tokenizer.json`, and what the config files beside it declare.

Knows those files; the `tokenizers` library does the encoding. Layout: https://huggingface.co/docs/tokenizers
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, pre_tokenizers
from tokenizers import Tokenizer as Encoder

from runtime.engine.checkpoints.kinds import read_json
from runtime.engine.checkpoints.model_config import CheckpointInvalid
from runtime.engine.text.control_spellings import KNOWN, ControlSpellings, looks_like_control
from runtime.engine.text.special_tokens import SpecialTokens
from runtime.engine.text.tokenizer import Tokenizer, byte_alphabet, byte_level_piece, sentencepiece_piece


def tokenizer_from_hugging_face(folder: Path, control: ControlSpellings = KNOWN) -> Tokenizer:
    """The tokenizer of `folder/tokenizer.json`. control: spellings of special tokens, even if the file does not say so.

    Raises CheckpointInvalid, naming the file, for one that is damaged, or whose tokens do not stand for bytes
    (WordPiece, say).
    """
    path = folder / "tokenizer.json"
    description = read_json(path)
    try:
        encoder = Encoder.from_file(str(path))
        steps = list(_steps(description.get("decoder")))
        added = description["added_tokens"]
    except Exception as error:  # `tokenizers` raises bare `Exception`
        raise CheckpointInvalid(f"`{path}` is not a usable tokenizer: {error}.") from error
    encoder.no_truncation()
    encoder.no_padding()
    # Here special tokens in plain text stay text; `SpecialTokens` finds the real ones.
    encoder.encode_special_tokens = True
    declared = _declared(folder, encoder)
    unmarked = _unmarked(encoder, control.all, [declared["bos_id"], declared["eos_id"], *declared["end_ids"]])
    encoder.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in unmarked])
    special = SpecialTokens(
        {token["content"]: token["id"] for token in added if token["special"]} | unmarked,
        strips_left=[token["content"] for token in added if token["lstrip"]],
        strips_right=[token["content"] for token in added if token["rstrip"]],
    )
    later: dict[int, bytes] = {token["id"]: token["content"].encode("utf-8") for token in added}
    kinds = {step["type"] for step in steps}
    alphabet = byte_alphabet()

    def piece_bytes(id: int) -> bytes:
        if id in later:
            return later[id]
        piece = encoder.id_to_token(id) or ""
        return byte_level_piece(alphabet, piece) if "ByteLevel" in kinds else sentencepiece_piece(piece)

    if not kinds & {"ByteLevel", "ByteFallback", "Metaspace"}:
        known = ", ".join(sorted(kinds)) or "none"
        raise CheckpointInvalid(
            f"`{path}` decodes in a way that this engine does not know ({known}).",
            hint="take a byte-level or SentencePiece tokenizer",
        )
    within = _continuing(encoder, description)
    with_special = encoder.encode("a").ids

    def encode_plain(text: str, is_first: bool) -> list[int]:
        return list((encoder if is_first else within).encode(text, add_special_tokens=False).ids)

    return Tokenizer(
        encode_plain=encode_plain,
        piece_bytes=piece_bytes,
        special=special,
        vocab_size=max(encoder.get_vocab().values(), default=-1) + 1,
        add_bos=with_special[:1] == [declared["bos_id"]],
        drops_first_space=any(_drops_space(step) for step in steps),
        ends=control.ends,
        **declared,
    )


def token_text(value: object) -> str | None:
    """The spelling of a token in `tokenizer_config.json`: a string, or an object with `content`."""
    if isinstance(value, Mapping):
        value = value.get("content")
    return value if isinstance(value, str) else None


def _declared(folder: Path, encoder: Encoder) -> dict[str, Any]:
    """Begin and end tokens from the config files; files that are missing declare nothing."""
    named, model, generation = (
        read_json(folder / file) if (folder / file).is_file() else {}
        for file in ("tokenizer_config.json", "config.json", "generation_config.json")
    )
    ids: dict[str, int | None] = {}
    for key in ("bos", "eos"):
        text = token_text(named.get(f"{key}_token"))
        first = next(iter(_as_list(model.get(f"{key}_token_id"))), None)
        if text is not None:
            first = encoder.token_to_id(text)
        ids[key] = first if isinstance(first, int) else None
    ends = [id for config in (model, generation) for id in _as_list(config.get("eos_token_id")) if isinstance(id, int)]
    return {"bos_id": ids["bos"], "eos_id": ids["eos"], "end_ids": ends}


def _unmarked(encoder: Encoder, control: Iterable[str], declared: Iterable[int | None]) -> dict[str, int]:
    """Tokens of the vocabulary that are spelt or declared as control tokens."""
    named = (encoder.id_to_token(id) for id in declared if id is not None and 0 <= id < 1 << 32)
    spellings = {*control, *(text for text in named if text is not None and looks_like_control(text))}
    found = ((text, encoder.token_to_id(text)) for text in sorted(spellings))
    return {text: id for text, id in found if id is not None}


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _steps(step: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    """A decoder or pre-tokenizer, and all the steps inside it."""
    if step is None:
        return
    yield step
    for key in ("decoders", "pretokenizers"):
        for inner in step.get(key, ()):
            yield from _steps(inner)


def _drops_space(step: Mapping[str, Any]) -> bool:
    match step:
        case {"type": "Strip", "content": " ", "start": start}:
            return bool(start)
        case {"type": "Metaspace"}:
            return bool(step.get("prepend_scheme", "always") != "never")
    return False


def _continuing(encoder: Encoder, description: Mapping[str, Any]) -> Encoder:
    """The encoder for text after a special token: some encoders put a space only before the first word of a prompt."""
    steps = list(_steps(description.get("pre_tokenizer")))
    first_only = [step for step in steps if step["type"] == "Metaspace" and step.get("prepend_scheme") == "first"]
    if not first_only or len(steps) > 1:
        return encoder
    continuing = Encoder.from_str(encoder.to_str())
    continuing.encode_special_tokens = True
    continuing.pre_tokenizer = pre_tokenizers.Metaspace(
        replacement=first_only[0]["replacement"], prepend_scheme="never", split=first_only[0].get("split", True)
    )
    return continuing
