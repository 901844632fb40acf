"""Text over the shipped model: against transformers' reading of the same file, and answers from the real engine."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tokenizers import pre_tokenizers

from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.text.loading import load_chat_template, load_tokenizer
from runtime.engine.text.text_model import TextModel
from runtime.errors import RequestError
from tests.support.llama_cpp import shipped_gguf

pytestmark = pytest.mark.smollm2


@pytest.fixture(scope="module")
def shipped_model() -> Path:
    return shipped_gguf()


FRAGMENTS = [
    *(
        "the",
        " Quick",
        "don't",
        "WE'LL",
        "12345",
        " 7",
        "x_y",
        "  ",
        "\n",
        "\r\n",
        "\t",
        " \n ",
        "\u00a0",
        "!?",
        "(){}",
    ),
    *(
        "é",
        "e\u0301",
        "Straße",
        "привет",
        "你好",
        "日本語",
        "😀",
        "👩‍👩‍👧",
        "²",
        "½",
        "٣",
        "\x00",
        "<|im_end|>",
        "<|im_",
        "|>",
        "▁",
    ),
]


@pytest.mark.oracle
def test_the_shipped_tokenizer_and_template_agree_with_transformers(shipped_model: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is the oracle")
    pytest.importorskip("gguf", reason="transformers reads GGUF files through `gguf`")
    theirs = transformers.AutoTokenizer.from_pretrained(shipped_model.parent, gguf_file=shipped_model.name)
    # transformers does not look at `tokenizer.ggml.pre`; this is the pre-tokenizer of SmolLM2's own tokenizer.json.
    digits = pre_tokenizers.Digits(individual_digits=True)
    theirs.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(False)])
    ours = load_tokenizer(shipped_model)
    choose = random.Random(2)
    texts = ["", *FRAGMENTS, *("".join(choose.choices(FRAGMENTS, k=choose.randint(2, 14))) for _ in range(1500))]
    for text in texts:
        ids = theirs.encode(text, add_special_tokens=False)
        assert ours.encode(text, add_bos=False, allow_special=True) == ids, repr(text)
        assert ours.decode(ids, show_special=True) == theirs.decode(ids), repr(text)
        plain = theirs.encode(text, add_special_tokens=False, split_special_tokens=True)
        assert ours.encode(text, add_bos=False) == plain, repr(text)
    template = load_chat_template(shipped_model, ours)
    assert template is not None
    chat = [{"role": "user", "content": "Hi 😀"}, {"role": "assistant", "content": " yes "}]
    rendered = template.render(chat, special=ours.special)
    assert str(rendered) == theirs.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)


async def test_an_answer_of_the_real_engine_as_text(shipped_model: Path) -> None:
    pytest.importorskip("torch", reason="the engine runs on torch")
    from runtime.engine.engine import Engine
    from runtime.engine.running.options import EngineOptions

    tokenizer = load_tokenizer(shipped_model)
    engine = Engine(EngineOptions(model=shipped_model, device="cpu", max_context_tokens=256, max_batch_size=2))
    model = TextModel(engine, tokenizer, load_chat_template(shipped_model, tokenizer))
    await engine.start()
    try:
        prompt = model.render_chat([{"role": "user", "content": "Say hello."}]).ids
        params = SamplingParams(temperature=0, max_tokens=12, logprobs=1)
        outputs = [output async for output in model.generate_text(prompt, params)]
        text = "".join(output.text for output in outputs)
        assert text.strip()
        assert outputs[-1].finish_reason in ("stop", "length")
        assert b"".join(token.bytes for output in outputs for token in output.tokens).decode() == text
        stop = text[2:5]
        stopped = [output async for output in model.generate_text(prompt, params, [stop])]
        assert "".join(output.text for output in stopped) == text[: text.index(stop)]
        assert stopped[-1].finish_reason == "stop"
        with pytest.raises(RequestError):
            model.generate_text([], params)
    finally:
        await engine.stop()
