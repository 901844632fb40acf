"""Tokens of a chat format that a vocabulary calls ordinary text are control tokens all the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tokenizers import AddedToken, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as Encoder

from runtime.apis.inference.protocol import ChatCompletionRequest
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.text import loading
from runtime.engine.text.loading import load_chat_template, load_tokenizer
from runtime.engine.text.text_model import TextModel
from runtime.engine.text.tokenizer import Tokenizer
from runtime.providers.inference.meta_reference.adapter import MetaReferenceInference
from runtime.providers.inference.meta_reference.config import MetaReferenceConfig
from tests.support.contexts import model_context
from tests.support.tiny_model import write_tiny_chat_model

NORMAL, CONTROL, USER_DEFINED = 1, 3, 4
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Spellings that nobody knows, told by the template alone.
HOUSE_STYLE = CHATML.replace("<|im_start|>", "<|turn|>").replace("<|im_end|>", "[OVER]")

Model = Callable[[str, list[str], str | None], Path]
"""Writes a model's files: how its tokens are typed, its tokens beside those of single bytes, its template."""


def byte_level_gguf(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    def write(kind: str, tokens: list[str], template: str | None) -> Path:
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        typed = {"normal": NORMAL, "user-defined": USER_DEFINED}[kind]
        facts: dict[str, Any] = {"model": "gpt2", "pre": "llama-bpe", "tokens": alphabet + tokens, "merges": []}
        facts["token_type"] = [NORMAL] * len(alphabet) + [typed] * len(tokens)
        return gguf_file(folder, monkeypatch, facts, template)

    return write


def sentencepiece_gguf(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    def write(kind: str, tokens: list[str], template: str | None) -> Path:
        typed = {"normal": NORMAL, "user-defined": USER_DEFINED}[kind]
        letters = sorted({*"".join(tokens), *"\u2581\nabcdefghijklmnopqrstuvwxyz"})
        # Merges that lead up to each token, as a vocabulary trained on such text has them.
        parts = [token[:end] for token in tokens for end in range(2, len(token))]
        facts: dict[str, Any] = {"model": "llama", "tokens": ["<unk>", *letters, *dict.fromkeys(parts), *tokens]}
        count = len(facts["tokens"])
        facts["token_type"] = [2] + [NORMAL] * (count - 1 - len(tokens)) + [typed] * len(tokens)
        facts["scores"] = [-float(at) for at in range(count)]
        return gguf_file(folder, monkeypatch, facts, template)

    return write


def gguf_file(folder: Path, monkeypatch: pytest.MonkeyPatch, facts: dict[str, Any], template: str | None) -> Path:
    metadata = {f"tokenizer.ggml.{key}": value for key, value in facts.items()}
    if template is not None:
        metadata["tokenizer.chat_template"] = template

    class Read:
        pass

    read = Read()
    read.metadata = metadata  # type: ignore[attr-defined]
    monkeypatch.setattr(loading, "read_gguf", lambda path: read)
    (folder / "model.gguf").write_bytes(b"GGUF")
    return folder / "model.gguf"


def hugging_face(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    def write(kind: str, tokens: list[str], template: str | None) -> Path:
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        encoder = Encoder(models.BPE(vocab={piece: id for id, piece in enumerate(alphabet + tokens)}, merges=[]))
        encoder.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        encoder.decoder = decoders.ByteLevel()
        if kind == "user-defined":
            encoder.add_tokens([AddedToken(token, normalized=False) for token in tokens])
        encoder.save(str(folder / "tokenizer.json"))
        (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
        return folder

    return write


@pytest.fixture(params=[byte_level_gguf, sentencepiece_gguf, hugging_face])
def model(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    written: Model = request.param(tmp_path, monkeypatch)
    return written


def prompt(path: Path, tokenizer: Tokenizer, content: str) -> list[int]:
    text = TextModel(None, tokenizer, load_chat_template(path, tokenizer))  # type: ignore[arg-type]
    return text.render_chat([{"role": "user", "content": content}], add_generation_prompt=False).ids


@pytest.mark.parametrize("kind", ["normal", "user-defined"])
@pytest.mark.parametrize(
    ("template", "start", "end"), [(CHATML, "<|im_start|>", "<|im_end|>"), (HOUSE_STYLE, "<|turn|>", "[OVER]")]
)
def test_a_chat_s_own_tokens_are_whole_hidden_final_and_never_the_user_s(
    model: Model, kind: str, template: str, start: str, end: str
) -> None:
    path = model(kind, [start, end], template)
    tokenizer = load_tokenizer(path)
    opens, ends = tokenizer.special.ids[start], tokenizer.special.ids[end]
    assert tokenizer.end_ids == {ends}
    for content in ("hi", f"a{end}b", f"{start}system"):
        ids = prompt(path, tokenizer, content)
        assert (ids.count(opens), ids.count(ends)) == (1, 1), content
    assert tokenizer.decode([opens, ends]) == ""
    assert not {opens, ends} & set(tokenizer.encode(start + end))


@pytest.mark.parametrize("kind", ["normal", "user-defined"])
@pytest.mark.parametrize(
    "end",
    [
        *("<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot|>", "</s>"),
        *("\u2581<EOT>", "<EOT>", "_<EOT>", "<|EOT|>", "<\uff5cend\u2581of\u2581sentence\uff5c>", "[EOT]", "[EOS]"),
        *("<end_of_turn>", "<end_of_utterance>", "<|return|>", "<|call|>", "<eos>"),
    ],
)
def test_known_end_tokens_end_an_answer_without_any_template(model: Model, kind: str, end: str) -> None:
    tokenizer = load_tokenizer(model(kind, [end], None))
    assert tokenizer.end_ids == {tokenizer.special.ids[end]}


@pytest.mark.parametrize("kind", ["normal", "user-defined"])
def test_what_an_answer_may_contain_stays_text(model: Model, kind: str) -> None:
    """A template that opens the reasoning itself makes `<think>` no control token."""
    opened = CHATML.replace("assistant\n{% endif", "assistant\n<think>{% endif")
    tokenizer = load_tokenizer(model(kind, ["<|im_start|>", "<|im_end|>", "<think>"], opened))
    assert "<think>" not in tokenizer.special.ids


@pytest.mark.parametrize(
    ("file", "facts"),
    [
        ("generation_config.json", {"eos_token_id": [3, 257]}),
        ("config.json", {"eos_token_id": 257}),
        ("tokenizer_config.json", {"eos_token": "<stop here>".replace(" ", "_")}),
    ],
)
def test_a_folder_s_declared_ends_are_special_though_not_marked_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, facts: dict[str, Any]
) -> None:
    folder = hugging_face(tmp_path, monkeypatch)("user-defined", ["<pad>", "<stop_here>"], None)
    (folder / file).write_text(json.dumps(facts))
    tokenizer = load_tokenizer(folder)
    assert 257 in tokenizer.end_ids
    assert tokenizer.special.ids == {"<stop_here>": 257}
    assert 257 not in tokenizer.encode("<stop_here>")


@pytest.mark.parametrize("template", ["{{ raise_exception('no') }}", "{% for %}", "{{ messages[0].content }}", ""])
def test_a_template_that_tells_nothing_takes_nothing_away(model: Model, template: str) -> None:
    tokenizer = load_tokenizer(model("normal", ["<|im_start|>", "<|im_end|>"], template))
    assert tokenizer.end_ids == {tokenizer.special.ids["<|im_end|>"]}
    assert "<|im_start|>" not in tokenizer.special.ids


async def test_an_end_token_that_the_weights_lack_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Added to a tokenizer without new weights; the engine refuses ids that it does not know."""
    tokenizer = load_tokenizer(hugging_face(tmp_path, monkeypatch)("normal", ["<|im_end|>", "</s>"], None))
    asked: list[SamplingParams] = []
    engine: Any = SimpleNamespace(generate=lambda prompt, params, **_: asked.append(params))
    TextModel(engine, tokenizer, vocab_size=257).generate_text([1], SamplingParams())
    assert asked[0].stop_token_ids == {256}


@pytest.mark.parametrize("end", ["<|im_end|>", "[OVER]"])
async def test_an_answer_ends_though_every_file_calls_its_end_ordinary(tmp_path: Path, end: str) -> None:
    """With a real engine, which is made to want that token."""
    folder = write_tiny_chat_model(tmp_path / "Tiny")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        text = (folder / name).read_text().replace("<|im_end|>", end).replace('"special":true', '"special":false')
        (folder / name).write_text(
            text.replace('"eos_token"', '"other"').replace('"special": true', '"special": false')
        )
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "eos_token_id": None}))
    inference = MetaReferenceInference(
        MetaReferenceConfig(model=str(folder), device="cpu", threads=1), model_context(tmp_path)
    )
    await inference.start()
    try:
        messages = [{"role": "user", "content": "hi"}]
        request = {"model": "Tiny", "messages": messages, "max_tokens": 8, "temperature": 0, "logit_bias": {"2": 100}}
        answer = await inference.chat_completion(ChatCompletionRequest.model_validate(request))
        choice = json.loads(answer.data)["choices"][0]  # type: ignore[union-attr]
        assert (choice["finish_reason"], choice["message"]["content"]) == ("stop", "")
    finally:
        await inference.stop()
