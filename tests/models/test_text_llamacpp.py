"""Tokenizers and chat templates against llama.cpp, which reads the same GGUF files with code of its own.

Each kind of tokenizer gets a file with a model of random weights too small to be good for anything but being loaded.
"""

from __future__ import annotations

import io
import random
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime.engine.checkpoints.gguf_file import read_gguf
from runtime.engine.text.builtin_templates import LLAMA_2_TEMPLATE, LLAMA_3_TEMPLATE, LLAMA_4_TEMPLATE
from runtime.engine.text.chat_template import ChatTemplate
from runtime.engine.text.loading import load_chat_template, load_tokenizer
from runtime.engine.text.special_tokens import SpecialTokens
from runtime.engine.text.tokenizer_meta import tokenizer_from_meta
from tests.support.ik_llama_cpp import ik_llama_cpp
from tests.support.llama_cpp import LlamaCppServer, Serve, shipped_gguf

pytestmark = pytest.mark.llamacpp

gguf = pytest.importorskip("gguf", reason="`gguf` writes the files that llama.cpp reads")


SERVER = ("-c", "256", "-np", "1", "-t", "1", "--no-warmup")


def write_model(path: Path, metadata: dict[str, Any], *, width: int = 32) -> Path:
    """A one-layer Llama of random weights with the tokenizer in `metadata` (keys without `tokenizer.ggml.`)."""
    writer = gguf.GGUFWriter(path, "llama")
    tokens = len(metadata["tokens"])
    writer.add_block_count(1)
    writer.add_context_length(256)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(width)
    writer.add_head_count(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(tokens)
    for key, value in metadata.items():
        name = f"tokenizer.ggml.{key}"
        match value:
            case bool():
                writer.add_bool(name, value)
            case int():
                writer.add_uint32(name, value)
            case str():
                writer.add_string(name, value)
            case _:
                writer.add_array(name, list(value))
    shapes = {"token_embd": (tokens, width), "output_norm": (width,), "output": (tokens, width)}
    for part in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        shapes[f"blk.0.{part}"] = (width, width)
    shapes |= {"blk.0.attn_norm": (width,), "blk.0.ffn_norm": (width,)}
    generator = np.random.default_rng(0)
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", generator.standard_normal(shape, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def shipped_vocabulary(**changes: Any) -> dict[str, Any]:
    metadata = read_gguf(shipped_gguf()).metadata
    kept = ("model", "pre", "tokens", "token_type", "merges", "bos_token_id", "eos_token_id")
    values = {key: metadata[f"tokenizer.ggml.{key}"] for key in kept} | {"add_bos_token": False} | changes
    values["token_type"] = [int(type) for type in values["token_type"]]
    return values


FRAGMENTS = [
    *(
        "the",
        " quick",
        "Brown ",
        "don't",
        "WE'LL",
        "I'D",
        "12345",
        " 7",
        "3.14",
        "1,000,000",
        "x_y",
        "fooBar",
        "HTTPServer",
    ),
    *(
        "  ",
        "\n",
        "\r\n",
        "\t",
        "\n\n\n",
        " \n ",
        "   x",
        "\u00a0",
        "\u3000",
        "..",
        "!?",
        "()[]{}",
        "//",
        "#include <a>",
    ),
    *("é", "ñandú", "Straße", "Ωμέγα", "привет", "你好世界", "日本語の", "한국어", "עברית", "العربية", "हिन्दी", "ไทย"),
    *(
        "😀",
        "👩‍👩‍👧",
        "🇪🇺",
        "²³",
        "½",
        "Ⅷ",
        "٣٤",
        "ǅ",
        "\u0301",
        "e\u0301",
        "\ufeff",
        "\u200b",
        "\x00",
        "\x7f",
        "$€+<=>^~|`",
    ),
    *("<|im_end|>", "<|im_start|>user\n", "<|", "|>", "</s>", "<s>", "<unk>", "<0x41>", "▁", "Ġ"),
]


def fuzz_texts(count: int, seed: int = 1) -> list[str]:
    choose = random.Random(seed)
    texts = ["", " ", *FRAGMENTS]
    texts += ["".join(choose.choices(FRAGMENTS, k=choose.randint(2, 12))) for _ in range(count)]
    return texts


Tokenize = Callable[[str, bool], list[int]]
"""Called with a text and whether special tokens in it are read as such."""


@pytest.fixture(params=["llama-server", "ik_llama.cpp"])
def reading(request: pytest.FixtureRequest) -> Callable[[Path], AbstractContextManager[Tokenize]]:
    """Opens a file with llama.cpp: its server where that runs, and in this process the fork that runs anywhere."""

    @contextmanager
    def by_server(model: Path) -> Iterator[Tokenize]:
        with request.getfixturevalue("llama_cpp")(model, *SERVER) as server:
            yield partial(tokenize, server)

    @contextmanager
    def by_ik(model: Path) -> Iterator[Tokenize]:
        with ik_llama_cpp(model) as opened:
            yield lambda text, special: opened.tokenize(text, allow_special=special)

    return by_server if request.param == "llama-server" else by_ik


def tokenize(server: LlamaCppServer, text: str, special: bool) -> list[int]:
    body = {"content": text, "add_special": False, "parse_special": special}
    ids: list[int] = server.post("/tokenize", body)["tokens"]
    return ids


def compare(theirs: Tokenize, model: Path, texts: list[str], *, allow_special: bool) -> None:
    tokenizer = load_tokenizer(model)
    for text in texts:
        assert tokenizer.encode(text, add_bos=False, allow_special=allow_special) == theirs(text, allow_special), text


# Composed texts only: Qwen's own tokenizer composes (NFC), llama.cpp leaves that step out. Without `'D`, which the fork
# cuts otherwise than llama.cpp where letters follow.
@pytest.mark.parametrize("pre", ["smollm", "gpt-2", "llama-bpe", "qwen2", "default", "llama4"])
def test_byte_level_kinds_encode_like_llama_cpp(
    pre: str, tmp_path: Path, reading: Callable[[Path], AbstractContextManager[Tokenize]]
) -> None:
    model = write_model(tmp_path / "model.gguf", shipped_vocabulary(pre=pre))
    texts = [unicodedata.normalize("NFC", text.replace("'D", "")) for text in fuzz_texts(400)]
    with reading(model) as theirs:
        compare(theirs, model, texts, allow_special=False)
        compare(theirs, model, texts[::4], allow_special=True)


def train_sentencepiece() -> bytes:
    """A small SentencePiece model as Llama 2's was made: BPE, bytes for what is unknown, no normalisation."""
    sentencepiece = pytest.importorskip("sentencepiece", reason="`sentencepiece` is the oracle for its own format")
    generator = random.Random(3)
    words = "the a of and to in is llama model token engine stack aaaa aaa aa banana bananas 2024 <html> x==y é ñ 你好"
    lines = [" ".join(generator.choices(words.split(), k=12)) for _ in range(400)]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type="bpe",
        vocab_size=380,
        byte_fallback=True,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    return model.getvalue()


def sentencepiece_metadata(content: bytes) -> dict[str, Any]:
    import sentencepiece

    pieces = sentencepiece.SentencePieceProcessor()
    pieces.LoadFromSerializedProto(content)
    ids = range(pieces.GetPieceSize())
    types = [2 if pieces.IsUnknown(i) else 3 if pieces.IsControl(i) else 6 if pieces.IsByte(i) else 1 for i in ids]
    return {
        "model": "llama",
        "tokens": [pieces.IdToPiece(id) for id in ids],
        "scores": [pieces.GetScore(id) for id in ids],
        "token_type": types,
        "bos_token_id": pieces.bos_id(),
        "eos_token_id": pieces.eos_id(),
        "unknown_token_id": pieces.unk_id(),
    }


WORDS = ["the", " model", "aaaaa", "aaaaaaa", "bananas", " ba", "nan", "2024", "<html>", "x==y", "llama's", " engine"]


def sentencepiece_texts() -> list[str]:
    choose = random.Random(5)
    return fuzz_texts(150) + ["".join(choose.choices(WORDS, k=choose.randint(1, 10))) for _ in range(300)]


def test_sentencepiece_scores_encode_like_llama_cpp_and_sentencepiece(
    tmp_path: Path, reading: Callable[[Path], AbstractContextManager[Tokenize]]
) -> None:
    content = train_sentencepiece()
    model = write_model(tmp_path / "model.gguf", sentencepiece_metadata(content))
    (tmp_path / "tokenizer.model").write_bytes(content)
    ours, original = load_tokenizer(model), tokenizer_from_meta(tmp_path / "tokenizer.model")
    for text in sentencepiece_texts():
        ids = ours.encode(text, add_bos=False)
        assert ids == original.encode(text, add_bos=False), repr(text)
        # U+2581 is how the format writes a space, so in text it comes back as one.
        assert ours.decode(ids) == original.decode(ids) == text.replace("▁", " ")
    with reading(model) as theirs:
        compare(theirs, model, sentencepiece_texts(), allow_special=False)
        compare(theirs, model, sentencepiece_texts()[::3], allow_special=True)


CHATS: list[list[dict[str, Any]]] = [
    [{"role": "user", "content": "Hi"}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "  two\n\nlines  "}],
    [
        {"role": "user", "content": "é 😀 {{ 7 * 7 }} {% raw %}"},
        {"role": "assistant", "content": "ok"},
        {"role": "user", "content": [{"type": "text", "text": "one part"}]},
    ],
]


def test_shipped_model_renders_tokenizes_and_ends_like_llama_cpp(llama_cpp: Serve) -> None:
    model = shipped_gguf()
    tokenizer = load_tokenizer(model)
    template = load_chat_template(model, tokenizer)
    assert template is not None
    with llama_cpp(model, *SERVER) as server:
        compare(partial(tokenize, server), model, fuzz_texts(400, seed=9), allow_special=False)
        compare(partial(tokenize, server), model, fuzz_texts(100, seed=10), allow_special=True)
        for chat in CHATS:
            prompt = server.post("/apply-template", {"messages": chat})["prompt"]
            rendered = template.render(chat, special=tokenizer.special)
            assert str(rendered) == prompt
            theirs = server.post("/tokenize", {"content": prompt, "add_special": True, "parse_special": True})["tokens"]
            assert tokenizer.encode_shielded(rendered.text, rendered.mark) == theirs
        for id in [*range(300), *range(1000, tokenizer.vocab_size, 997)]:
            piece = server.post("/tokenize", {"content": tokenizer.decode([id]), "with_pieces": True})["tokens"]
            if tokenizer.encode(tokenizer.decode([id])) == [id]:
                shown = piece[0]["piece"]
                assert tokenizer.token_bytes(id) == (shown.encode() if isinstance(shown, str) else bytes(shown))


# Without Jinja llama.cpp writes these formats in C++; it leaves the first BOS to its tokenizer. In Llama 2's it drops
# the spaces around an answer, which Meta's own code has, so that format is compared without answers.
@pytest.mark.parametrize(
    ("name", "source", "bos", "eos"),
    [
        ("llama2-sys-bos", LLAMA_2_TEMPLATE, "<s>", "</s>"),
        ("llama3", LLAMA_3_TEMPLATE, "", ""),
        ("llama4", LLAMA_4_TEMPLATE, "", ""),
    ],
)
def test_built_in_formats_are_those_of_llama_cpp(name: str, source: str, bos: str, eos: str, llama_cpp: Serve) -> None:
    template = ChatTemplate(source, name=name, bos_token=bos, eos_token=eos)
    turns = ["What is the sky?", "It is blue.", "And at night?"]
    roles = ["user", "assistant", "user"]
    chat = [{"role": role, "content": turn} for role, turn in zip(roles, turns, strict=True)]
    with llama_cpp(shipped_gguf(), *SERVER, "--no-jinja", "--chat-template", name) as server:
        system = {"role": "system", "content": "Be brief."}
        answered = [] if name.startswith("llama2") else [chat, [system, *chat]]
        for messages in (chat[:1], [system, *chat[:1]], *answered):
            theirs = server.post("/apply-template", {"messages": messages})["prompt"]
            ours = str(template.render(messages, special=SpecialTokens({})))
            assert ours.removeprefix(bos) == theirs.removeprefix(bos)
