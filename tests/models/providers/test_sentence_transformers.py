"""How embeddings are written out. The encoder itself: `tests/engine/test_embedder.py`; the promises of every inference
provider: `tests/conformance/test_inference.py`.
"""

from __future__ import annotations

import base64
import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

import numpy as np

from runtime.apis.inference import EmbeddingsRequest
from runtime.engine.embedder import Embeddings
from runtime.providers.inference.sentence_transformers import adapter
from runtime.providers.inference.sentence_transformers.adapter import SentenceTransformersInference
from runtime.providers.inference.sentence_transformers.config import SentenceTransformersConfig


class Encoder:
    """Stands in for the encoder, whose vectors do not matter here: as many as it is given texts."""

    dimension = 16

    async def start(self) -> None:
        pass

    async def embed(self, inputs: list[Any], *, truncate: bool = True) -> Embeddings:
        made = np.arange(len(inputs) * self.dimension, dtype="float32").reshape(len(inputs), self.dimension) / 3
        return Embeddings(vectors=made, prompt_tokens=len(inputs))


@pytest.fixture
async def embedding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SentenceTransformersInference:
    (tmp_path / "config.json").write_text('{"hidden_size": 16}')
    monkeypatch.setattr(adapter, "Embedder", lambda *_, **__: Encoder())
    context = SimpleNamespace(models_dir=None)
    made = SentenceTransformersInference(SentenceTransformersConfig(model=str(tmp_path)), context)  # type: ignore[arg-type]
    await made.start()
    return made


@pytest.mark.parametrize("encoding_format", ["float", "base64"])
@pytest.mark.parametrize("texts", [1, 2, 2048])
async def test_an_answer_has_openai_s_shape(
    embedding: SentenceTransformersInference, texts: int, encoding_format: Any
) -> None:
    request = EmbeddingsRequest(model='m"é', input=["x"] * texts, encoding_format=encoding_format)
    answer = json.loads((await embedding.embeddings(request)).data)
    assert {key: answer[key] for key in answer if key != "data"} == {
        "object": "list", "model": 'm"é', "usage": {"prompt_tokens": texts, "total_tokens": texts},
    }  # fmt: skip
    assert [(one["object"], one["index"]) for one in answer["data"]] == [("embedding", n) for n in range(texts)]
    last = answer["data"][-1]["embedding"]
    vector = np.frombuffer(base64.b64decode(last), "<f4") if encoding_format == "base64" else np.float32(last)
    assert np.array_equal(vector, (await Encoder().embed(["x"] * texts)).vectors[-1])


@pytest.mark.parametrize(("texts", "elsewhere"), [(512, False), (513, True)])
async def test_a_large_answer_is_written_beside_the_event_loop(
    embedding: SentenceTransformersInference, monkeypatch: pytest.MonkeyPatch, texts: int, elsewhere: bool
) -> None:
    threads: list[threading.Thread] = []
    reply = adapter._reply

    def noting(*arguments: Any) -> Any:
        threads.append(threading.current_thread())
        return reply(*arguments)

    monkeypatch.setattr(adapter, "_reply", noting)
    await embedding.embeddings(EmbeddingsRequest(model="m", input=["x"] * texts))
    assert (threads != [threading.main_thread()]) == elsewhere
