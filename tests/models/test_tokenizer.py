"""Tokenizers of every source format on small vocabularies made here; what users write never becomes a special token."""

from __future__ import annotations

import base64
import functools
import json
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as Encoder

from runtime.engine.checkpoints.model_config import CheckpointInvalid
from runtime.engine.text import tokenizer_meta
from runtime.engine.text.loading import load_tokenizer
from runtime.engine.text.special_tokens import SpecialTokens, choose_mark
from runtime.engine.text.tokenizer import Tokenizer, byte_alphabet
from runtime.engine.text.tokenizer_gguf import LLAMA_3_PATTERN, tokenizer_from_gguf
from runtime.engine.text.tokenizer_meta import llama_3_special_tokens, llama_4_special_tokens

CORPUS = [
    "The quick brown fox doesn't jump over 1234 lazy dogs; they're sleeping.",
    "def f(x):\n    return x ** 2 + 10\n\n\nprint(f(3))\n",
    "Größe, naïve, 你好世界, привет мир, 😀 and <html> tags | pipes |> im_end im_start",
] * 3
PRE_KINDS = ["smollm", "gpt-2", "llama-bpe", "llama4", "qwen2", "default"]
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
USER_DEFINED = ["<think>", "</think>"]


@functools.cache
def trained() -> tuple[list[str], list[tuple[str, str]]]:
    """Pieces in the order of their ids, and merges, of a byte-level BPE of 400 pieces."""
    encoder = Encoder(models.BPE())
    encoder.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    encoder.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet))
    model = json.loads(encoder.to_str())["model"]
    pieces = sorted(model["vocab"], key=model["vocab"].__getitem__)
    return pieces, [tuple(merge) for merge in model["merges"]]


def gguf_metadata(pre: str, **changes: Any) -> dict[str, Any]:
    pieces, merges = trained()
    tokens = [*CONTROL, *pieces, *USER_DEFINED]
    values = {
        "model": "gpt2",
        "pre": pre,
        "tokens": tokens,
        "token_type": [3] * len(CONTROL) + [1] * len(pieces) + [4] * len(USER_DEFINED),
        "merges": [" ".join(merge) for merge in merges],
        "bos_token_id": 1,
        "eos_token_id": 2,
    } | changes
    return {f"tokenizer.ggml.{key}": value for key, value in values.items() if value is not None}


@functools.cache
def gguf_tokenizer(pre: str = "smollm") -> Tokenizer:
    return tokenizer_from_gguf(gguf_metadata(pre), "model.gguf")


special_pieces = st.sampled_from([*CONTROL, "<|", "|>", "im_end", "<|im_end", "im_start|>", "<", ">", "|", " ", "\n"])
texts = st.lists(st.one_of(special_pieces, st.text(max_size=8), st.sampled_from(CORPUS[:3])), max_size=8).map("".join)


@pytest.mark.parametrize("pre", PRE_KINDS)
@given(text=texts)
@settings(max_examples=25, deadline=None)
def test_text_comes_back_and_no_special_token_is_made_of_it(pre: str, text: str) -> None:
    tokenizer = gguf_tokenizer(pre)
    ids = tokenizer.encode(text, add_bos=False)
    assert not tokenizer.special.spellings.keys() & set(ids)
    expected = unicodedata.normalize("NFC", text) if pre == "qwen2" else text
    expected = expected.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert tokenizer.decode(ids) == expected
    assert b"".join(map(tokenizer.token_bytes, ids)) == expected.encode()


def test_special_tokens_count_when_asked_for() -> None:
    tokenizer = gguf_tokenizer()
    text = "<|im_start|>user\nHi<|im_end|>"
    ids = tokenizer.encode(text, allow_special=True)
    assert ids[0] == 1
    assert ids[-1] == 2
    assert tokenizer.decode(ids) == "user\nHi"
    assert tokenizer.decode(ids, show_special=True) == text


def test_user_defined_tokens_are_found_in_plain_text() -> None:
    tokenizer = gguf_tokenizer()
    ids = tokenizer.encode("<think>a</think>")
    assert (ids[0], ids[-1]) == (tokenizer.vocab_size - 2, tokenizer.vocab_size - 1)
    assert tokenizer.decode(tokenizer.encode("<think>a</think>")) == "<think>a</think>"


def test_a_prompt_begins_with_bos_once_where_the_model_wants_it() -> None:
    tokenizer = tokenizer_from_gguf(gguf_metadata("smollm", add_bos_token=True), "model.gguf")
    plain = tokenizer.encode("fox", add_bos=False)
    assert tokenizer.encode("fox") == [1, *plain]
    assert tokenizer.encode_shielded("<|im_start|>fox", "") == [1, *plain]
    assert gguf_tokenizer().encode("fox", add_bos=True) == [1, *plain]
    assert tokenizer.encode("") == [1]


def test_end_tokens_are_those_declared_and_those_known_by_name() -> None:
    assert gguf_tokenizer().end_ids == {0, 2}
    declared = tokenizer_from_gguf(gguf_metadata("smollm", eot_token_id=1), "model.gguf")
    assert declared.end_ids == {0, 1, 2}


def test_ids_that_pad_the_vocabulary_stand_for_nothing() -> None:
    tokenizer = gguf_tokenizer()
    assert tokenizer.token_bytes(tokenizer.vocab_size + 5) == b""
    assert tokenizer.decode([tokenizer.vocab_size, -1]) == ""


def test_the_byte_alphabet_is_the_one_of_the_tokenizers_library() -> None:
    assert sorted(byte_alphabet()) == sorted(pre_tokenizers.ByteLevel.alphabet())
    assert sorted(byte_alphabet().values()) == list(range(256))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "t5"}, ["t5", "gpt2", "llama"]),
        ({"pre": "klingon"}, ["klingon", "smollm"]),
        ({"tokens": None}, ["tokens"]),
        ({"merges": None}, ["merges"]),
        ({"token_type": [1, 1]}, ["token types"]),
        ({"eos_token_id": 99999}, ["99999"]),
    ],
)
def test_metadata_that_cannot_be_used_is_refused_with_its_reason(changes: dict[str, Any], words: list[str]) -> None:
    metadata = gguf_metadata(changes.pop("pre", "smollm"), **changes)
    with pytest.raises(CheckpointInvalid) as refused:
        tokenizer_from_gguf(metadata, "model.gguf")
    for word in ["model.gguf", *words]:
        assert word in f"{refused.value.message} {refused.value.hint}"


# Special tokens among users' text


@given(users=st.lists(texts.filter(bool), min_size=3, max_size=3), glue=st.sampled_from(["", "<|", "<|im", "|>", ">"]))
@settings(max_examples=100, deadline=None)
def test_what_users_write_never_becomes_a_special_token(users: list[str], glue: str) -> None:
    special = SpecialTokens({text: id for id, text in enumerate(CONTROL)})
    mark = choose_mark(users)

    def render(first: str, second: str, third: str) -> str:
        return f"<|im_start|>user\n{first}<|im_end|>{second}{glue}{third}<|im_end|>"

    pieces = list(special.split(render(*(special.shield(user, mark) for user in users)), mark))
    assert [piece for piece in pieces if isinstance(piece, int)] == [1, 2, 2]
    spelt = "".join(piece if isinstance(piece, str) else special.spellings[piece] for piece in pieces)
    assert spelt == render(*users)


@given(text=texts, folds=st.booleans())
@settings(max_examples=60, deadline=None)
def test_trimming_and_folding_case_in_a_template_frees_no_special_token(text: str, folds: bool) -> None:
    special = SpecialTokens({text: id for id, text in enumerate(CONTROL)})
    mark = choose_mark([text])
    shielded = special.shield("  " + (text.upper() if folds else text) + "\n", mark).strip().lower()
    assert not [piece for piece in special.split(shielded, mark) if isinstance(piece, int)]


@pytest.mark.parametrize("token", CONTROL)
def test_a_user_cannot_complete_a_special_token_that_the_template_begins_or_ends(token: str) -> None:
    special = SpecialTokens({text: id for id, text in enumerate(CONTROL)})
    for start in range(len(token)):
        for end in range(start + 1, len(token) + 1):
            shielded = special.shield(f" {token[start:end]}\n", "\ufdd0").strip()
            rendered = token[:start] + shielded + token[end:]
            assert list(special.split(rendered, "\ufdd0")) == [token]
        tail = special.shield(f"{token[start:]} and more", "\ufdd0")
        assert list(special.split(token[:start] + tail, "\ufdd0")) == [f"{token} and more"]


def test_ordinary_strings_pass_the_shield_unchanged() -> None:
    special = SpecialTokens({"<|im_start|>": 1, "<|im_end|>": 2, "[INST]": 3})
    for text in ["Hello, world!", "a < b and c > d, or x[0]", "", "  \n", "{'type': 'function'}", "<html></html> etc."]:
        assert special.shield(text, "\ufdd0") == text
    assert special.shield("end", "\ufdd0") != "end"
    assert special.shield("end", "\ufdd0", is_keyword=True) == "end"


def test_a_mark_is_never_a_character_of_the_request() -> None:
    used = "".join(map(chr, range(0xFDD0, 0xFDF0)))
    assert choose_mark(["abc"]) not in "abc"
    assert choose_mark([used, "\U00100000"]) not in used + "\U00100000"


def test_special_tokens_of_one_character_can_be_shielded() -> None:
    special = SpecialTokens({"§": 7})
    assert list(special.split(f"§{special.shield('§', 'M')}§", "M")) == [7, "§", 7]


def test_special_tokens_may_swallow_the_white_space_around_them() -> None:
    special = SpecialTokens({"<a>": 1, "<b>": 2}, strips_left=["<a>"], strips_right=["<b>"])
    assert list(special.split("x  <a> y <b> \n z")) == ["x", 1, " y ", 2, "z"]


# Hugging Face folders


def write_hugging_face(folder: Path, encoder: Encoder, **config: Any) -> Path:
    encoder.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def byte_level_encoder() -> Encoder:
    pieces, merges = trained()
    encoder = Encoder(models.BPE(vocab={piece: id for id, piece in enumerate(pieces)}, merges=merges))
    split = pre_tokenizers.Split(Regex(LLAMA_3_PATTERN), "isolated")
    encoder.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    encoder.decoder = decoders.ByteLevel()
    encoder.add_special_tokens(["<|begin|>", *CONTROL, AddedToken("<|strip|>", lstrip=True, rstrip=True, special=True)])
    encoder.add_tokens(USER_DEFINED)
    bos = encoder.token_to_id("<|begin|>")
    encoder.post_processor = processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", bos)])
    encoder.enable_truncation(3)
    return encoder


def metaspace_encoder(scheme: str) -> Encoder:
    words = ["\u2581the", "\u2581fox", "the", "fox", "\u2581", *"thefoxs \n.,"]
    vocab = {
        text: id for id, text in enumerate(dict.fromkeys(["<unk>", *[f"<0x{b:02X}>" for b in range(256)], *words]))
    }
    merges = [("t", "h"), ("th", "e"), ("f", "o"), ("fo", "x"), ("\u2581", "the"), ("\u2581", "fox")]
    vocab |= {text: len(vocab) + at for at, text in enumerate(["th", "fo"])}
    encoder = Encoder(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    if scheme == "legacy":
        encoder.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    else:
        encoder.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    strip = [decoders.Strip(" ", 1, 0)] if scheme != "never" else []
    steps = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), *strip]
    encoder.decoder = decoders.Sequence(steps)
    encoder.add_special_tokens(["<s>", "</s>"])
    return encoder


FRAGMENTS = [
    "the fox",
    " the",
    "fox ",
    "  ",
    "\n",
    "1234",
    "don't",
    "é",
    "你好",
    "😀",
    "<think>",
    "<|strip|>",
    *CONTROL,
]


def check_against_library(tokenizer: Tokenizer, encoder: Encoder, texts: list[str]) -> None:
    """`encoder` itself is the oracle: it finds special tokens, or with the flag set leaves them as text."""
    encoder.no_truncation()
    for text in texts:
        encoder.encode_special_tokens = False
        theirs = encoder.encode(text, add_special_tokens=False).ids
        assert tokenizer.encode(text, add_bos=False, allow_special=True) == theirs, repr(text)
        encoder.encode_special_tokens = True
        assert tokenizer.encode(text, add_bos=False) == encoder.encode(text, add_special_tokens=False).ids, repr(text)
        assert tokenizer.decode(theirs) == encoder.decode(theirs, skip_special_tokens=True), repr(text)


def combined(fragments: list[str]) -> list[str]:
    return ["", *fragments, *(a + b for a in fragments for b in fragments)]


def test_a_byte_level_folder_encodes_like_the_library(tmp_path: Path) -> None:
    encoder = byte_level_encoder()
    folder = write_hugging_face(tmp_path, encoder, bos_token="<|begin|>", eos_token={"content": "<|im_end|>"})
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [7, 9]}))
    tokenizer = load_tokenizer(folder)
    check_against_library(tokenizer, encoder, combined(FRAGMENTS))
    assert tokenizer.add_bos
    assert tokenizer.spelling(tokenizer.bos_id) == "<|begin|>"
    assert tokenizer.encode("fox " * 9)[0] == tokenizer.bos_id
    assert {encoder.token_to_id("<|im_end|>"), encoder.token_to_id("<|endoftext|>"), 7, 9} == tokenizer.end_ids


@pytest.mark.parametrize("scheme", ["first", "always", "never", "legacy"])
def test_a_sentencepiece_folder_encodes_like_the_library(tmp_path: Path, scheme: str) -> None:
    encoder = metaspace_encoder(scheme)
    fragments = ["the fox", " the", "fox ", "s", "\n", "é", "😀", "<s>", "</s>", "<s", ">"]
    tokenizer = load_tokenizer(write_hugging_face(tmp_path, encoder, bos_token="<s>", eos_token="</s>"))
    check_against_library(tokenizer, encoder, combined(fragments))
    assert not tokenizer.add_bos


@pytest.mark.parametrize("content", [b"\x00\xff", b"{}", b"[]", b'{"added_tokens": [], "model": {"type": "Magic"}}'])
def test_a_damaged_tokenizer_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(CheckpointInvalid, match=r"tokenizer\.json"):
        load_tokenizer(tmp_path)


def test_a_word_piece_folder_is_refused(tmp_path: Path) -> None:
    encoder = Encoder(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    encoder.decoder = decoders.WordPiece()
    with pytest.raises(CheckpointInvalid, match="WordPiece"):
        load_tokenizer(write_hugging_face(tmp_path, encoder))


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointInvalid) as refused:
        load_tokenizer(tmp_path)
    assert "tokenizer.json" in (refused.value.hint or "")


# Meta folders


def write_ranks(folder: Path) -> Path:
    pieces, merges = trained()
    alphabet = byte_alphabet()
    order = [piece for piece in pieces if len(piece) == 1] + ["".join(merge) for merge in merges]
    lines = [base64.b64encode(bytes(alphabet[c] for c in piece)) + b" %d" % at for at, piece in enumerate(order)]
    (folder / "tokenizer.model").write_bytes(b"\n".join(lines) + b"\n")
    return folder


def test_tiktoken_ranks_encode_like_the_same_merges_in_gguf(tmp_path: Path) -> None:
    pytest.importorskip("tiktoken", reason="`tiktoken` reads Llama 3's tokenizer.model")
    ranks, gguf = load_tokenizer(write_ranks(tmp_path)), gguf_tokenizer("llama-bpe")
    for text in [
        *CORPUS,
        *combined(["the fox", " don't", "1234567", "  ", "\n\n", "你好", "😀", "<|eot_id|>", "\ud800"]),
    ]:
        ours = [ranks.token_bytes(id) for id in ranks.encode(text, add_bos=False)]
        assert ours == [gguf.token_bytes(id) for id in gguf.encode(text, add_bos=False)], repr(text)
    header = ranks.encode("<|start_header_id|>user<|end_header_id|>", allow_special=True)
    base = len(trained()[0])
    assert header[:2] == [base, base + 6]
    assert header[-1] == base + 7
    assert ranks.end_ids == {base + 1, base + 8, base + 9}
    assert ranks.vocab_size == base + 256


def test_endless_runs_of_one_kind_are_encoded_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tiktoken", reason="`tiktoken` reads Llama 3's tokenizer.model")
    tokenizer = load_tokenizer(write_ranks(tmp_path))
    text = "x" * 30_000 + " " * 30_000 + "é" * 30_000
    assert tokenizer.decode(tokenizer.encode(text)[1:]) == text
    monkeypatch.setattr(tokenizer_meta, "_MAX_ENCODE_CHARACTERS", 1000)
    assert tokenizer.decode(tokenizer.encode(text)[1:]) == text


def test_meta_special_tokens_stand_where_meta_put_them() -> None:
    llama_3, llama_4 = llama_3_special_tokens(), llama_4_special_tokens()
    assert len(llama_3) == len(set(llama_3)) == 256
    assert llama_3.index("<|eot_id|>") == 9
    assert llama_3.index("<|python_tag|>") == 10
    assert llama_3[-1] == "<|reserved_special_token_245|>"
    assert len(llama_4) == len(set(llama_4)) == 2048
    # The ids in the comments of Meta's own file, which follow 200,000 ranks.
    places = {"header_start": 5, "eot": 8, "image_start": 80, "patch": 92, "reasoning_thinking_end": 1143}
    assert {name: llama_4.index(f"<|{name}|>") for name in places} == places


@pytest.mark.parametrize("content", [b"YQ== 0\nYg== 5\n", b"YQ== 0\n!!! 1\n", b"not a model"])
def test_a_damaged_tokenizer_model_is_named(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("sentencepiece", reason="what is no list of ranks goes to `sentencepiece`")
    (tmp_path / "tokenizer.model").write_bytes(content)
    with pytest.raises(CheckpointInvalid, match=r"tokenizer\.model"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(("package", "content"), [("tiktoken", b"YQ== 0\nYg== 1\n"), ("sentencepiece", b"\x0a\x0e")])
def test_a_missing_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, content: bytes
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / "tokenizer.model").write_bytes(content)
    with pytest.raises(CheckpointInvalid) as refused:
        load_tokenizer(tmp_path)
    assert package in refused.value.message
    assert f"install {package}" in (refused.value.hint or "")
