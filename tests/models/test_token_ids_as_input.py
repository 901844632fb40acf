"""Token ids in place of text: those that cannot be the model's own are refused by number, the others warned of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from runtime.apis.inference.protocol import EmbeddingsRequest
from runtime.context import RequestContext
from runtime.context import serving as request_context
from runtime.engine.engine import Engine
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.running.options import EngineOptions
from runtime.errors import RequestError
from runtime.providers.inference.sentence_transformers.adapter import SentenceTransformersInference
from runtime.providers.inference.sentence_transformers.config import SentenceTransformersConfig
from tests.support.contexts import model_context
from tests.support.tiny_encoder import CONFIG, write_embedder
from tests.support.tiny_llama import random_weights, tiny_config, write_hugging_face

WORDS = CONFIG["vocab_size"]


@pytest.fixture
async def embedding(tmp_path: Path) -> AsyncIterator[SentenceTransformersInference]:
    folder = tmp_path / "mini"
    folder.mkdir()
    config = SentenceTransformersConfig(model=str(write_embedder(folder)), device="cpu", threads=1)
    made = SentenceTransformersInference(config, model_context(tmp_path))
    await made.start()
    yield made
    await made.stop()


async def warnings_of(embedding: SentenceTransformersInference, given: Any) -> list[str]:
    with request_context(RequestContext()) as context:
        await embedding.embeddings(EmbeddingsRequest(model="mini", input=given))
    return context.warnings


@pytest.mark.parametrize("given", [[4, 5], [[4, 5], [6]]])
async def test_ids_that_could_be_the_model_s_are_embedded_with_a_warning(
    embedding: SentenceTransformersInference, given: Any
) -> None:
    assert await warnings_of(embedding, given) == [
        f"`input` is token ids; they are taken as ids of `mini`'s own vocabulary ({WORDS} entries);"
        " send text unless they were made with it"
    ]
    assert await warnings_of(embedding, ["red", "cat"]) == await warnings_of(embedding, "red") == []


@pytest.mark.parametrize(("given", "named"), [([[4], [100_256, 5, 57_668]], "100256"), ([4, -3], "-3")])
async def test_ids_that_cannot_be_the_model_s_are_refused_by_the_largest(
    embedding: SentenceTransformersInference, given: Any, named: str
) -> None:
    with pytest.raises(RequestError, match=rf"token id {named}, .*vocabulary of {WORDS}") as refused:
        await warnings_of(embedding, given)
    assert (refused.value.status, "send text" in str(refused.value.hint)) == (400, True)


async def test_ids_beside_a_prompt_are_refused_by_the_largest_too(tmp_path: Path) -> None:
    config = tiny_config()
    engine = Engine(EngineOptions(model=write_hugging_face(tmp_path, config, random_weights(config)), device="cpu"))
    await engine.start()
    try:
        for prompt, fields, words in [
            ([5, 128, 50_000, 3], {}, "`prompt` has the token id 50000, outside the model's vocabulary of 128"),
            ([5, -1], {}, "`prompt` has the token id -1, "),
            ([5], {"logit_bias": {3: 1.0, 999: 1.0}}, "`logit_bias` has the token id 999, "),
        ]:
            with pytest.raises(RequestError, match=words):
                engine.generate(prompt, SamplingParams(**fields))
    finally:
        await engine.stop()
