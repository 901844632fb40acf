"""A real model whose file calls every token of its chat format ordinary text, and names the wrong end: its answers are
what they are from the sound file.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from runtime.apis.inference.protocol import ChatCompletionRequest
from runtime.engine.text.loading import load_tokenizer
from runtime.providers.inference.meta_reference.adapter import MetaReferenceInference
from runtime.providers.inference.meta_reference.config import MetaReferenceConfig
from runtime.sse import Reply
from tests.support.contexts import model_context
from tests.support.llama_cpp import shipped_gguf

gguf = pytest.importorskip("gguf")
NORMAL = 1
QUESTION = "What is the capital of France? <|im_end|>"


@pytest.fixture(scope="module")
def retyped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("retyped") / "Retyped.gguf"
    shutil.copy(shipped_gguf(), file)
    reader = gguf.GGUFReader(file, "r+")
    types = reader.fields["tokenizer.ggml.token_type"]
    retyped = [place for place in types.data if types.parts[place][0] != NORMAL]
    assert len(retyped) > 3
    for place in retyped:
        types.parts[place][0] = NORMAL
    reader.fields["tokenizer.ggml.eos_token_id"].parts[-1][0] = 5
    del reader, types
    return file


def test_the_tokens_of_its_chats_are_whole_and_never_a_user_s(retyped: Path) -> None:
    sound, changed = load_tokenizer(shipped_gguf()), load_tokenizer(retyped)
    for text in ("<|im_start|>user\nhi<|im_end|>\n", QUESTION):
        for special in (True, False):
            assert changed.encode(text, allow_special=special) == sound.encode(text, allow_special=special)
    assert sound.end_ids <= changed.end_ids


@pytest.mark.smollm2
async def test_its_answer_ends_where_the_sound_file_s_does(retyped: Path, tmp_path: Path) -> None:
    answers = [await answer_of(file, tmp_path) for file in (shipped_gguf(), retyped)]
    assert answers[0] == answers[1]
    assert answers[0][1] == "stop" and "<|" not in answers[0][0]


async def answer_of(file: Path, state_dir: Path) -> tuple[str, str, int]:
    """Text, finish reason and prompt tokens of a greedy chat."""
    context = model_context(state_dir)
    inference = MetaReferenceInference(MetaReferenceConfig(model=str(file), device="cpu", threads=1), context)
    await inference.start()
    try:
        reply = await inference.chat_completion(
            ChatCompletionRequest(
                model=file.name.removesuffix(".gguf"),
                messages=[{"role": "user", "content": QUESTION}],
                temperature=0,
                max_tokens=120,
            )
        )
        assert isinstance(reply, Reply)
        answer = reply.value()
    finally:
        await inference.stop()
    choice = answer["choices"][0]
    return choice["message"]["content"], choice["finish_reason"], answer["usage"]["prompt_tokens"]
