"""Cross-encoders: scores against transformers, what their folders say about scores, what is cut of a pair, bounds."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from runtime.engine.checkpoints.model_config import CheckpointInvalid
from runtime.engine.encoders.pairs import longest_first
from runtime.engine.encoders.weights import load_encoder
from runtime.errors import RequestError, TooLarge
from tests.support.encoders import running
from tests.support.hub_encoders import KINDS, reference_logits, write_hub_encoder
from tests.support.tiny_encoder import write_cross_encoder

QUERIES = ["red cat", "one two three " * 3, "house tree a b c d e f " * 6]
DOCUMENTS = [
    "red cat",
    "",
    "one two three dog",
    "a green house",
    "blue house one tree green a b c d e f g h i j k l m n red two three cat",
    "tree " * 60,
]


@pytest.mark.oracle
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("query", QUERIES)
async def test_scores_are_those_of_transformers(tmp_path: Path, kind: str, query: str) -> None:
    model = write_hub_encoder(tmp_path, KINDS[kind], "ForSequenceClassification", num_labels=1)
    expected = reference_logits(model, tmp_path, query, DOCUMENTS, max_tokens=32)
    config = json.loads((tmp_path / "config.json").read_text())
    plain = {"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity", "version": "4.1.0"}}
    (tmp_path / "config.json").write_text(json.dumps(config | plain))
    async with running(tmp_path) as embedder:
        assert embedder.max_tokens == 32
        ranking = await embedder.rerank(query, DOCUMENTS)
    assert np.abs(np.array(ranking.scores) - expected).max() <= 2e-4
    assert np.ptp(expected) > 0.1  # documents differ, so the comparison means something


@pytest.mark.oracle
@pytest.mark.parametrize("kind", ["roberta", "xlm-roberta"])
def test_embeddings_of_roberta_are_those_of_transformers(tmp_path: Path, kind: str) -> None:
    model = write_hub_encoder(tmp_path, KINDS[kind], "Model", num_labels=1)
    generator = np.random.default_rng(4)
    lengths = [1, 2, 3, 17, 31, 32]
    texts = [generator.integers(3, model.config.vocab_size, length).tolist() for length in lengths]
    ours: Any = load_encoder(tmp_path, "cpu")
    with torch.no_grad():
        means = [model(input_ids=torch.tensor([text])).last_hidden_state[0].double().mean(0) for text in texts]
    assert np.abs(ours.encode(texts) - torch.stack(means).numpy()).max() <= 2e-4
    assert ours.config.max_tokens == 32


IDENTITY = "torch.nn.modules.linear.Identity"
SIGMOID = "torch.nn.modules.activation.Sigmoid"


@pytest.mark.parametrize(
    ("config", "newest", "squeezes"),
    [
        ({}, {}, True),
        ({"sentence_transformers": {"version": "4.1.0"}}, {}, True),
        ({"sbert_ce_default_activation_function": IDENTITY}, {}, False),
        ({"sentence_transformers": {"activation_fn": IDENTITY}}, {}, False),
        ({"sentence_transformers": {"activation_fn": SIGMOID}}, {}, True),
        ({"sentence_transformers": {"activation_fn": SIGMOID}}, {"activation_fn": IDENTITY}, False),
    ],
)
async def test_a_score_is_made_as_the_folder_says(
    tmp_path: Path, config: dict[str, Any], newest: dict[str, Any], squeezes: bool
) -> None:
    (tmp_path / "logits").mkdir()
    (tmp_path / "scores").mkdir()
    plain = write_cross_encoder(tmp_path / "logits", sentence_transformers={"activation_fn": IDENTITY})
    async with running(plain) as embedder:
        logits = np.array((await embedder.rerank("cat", DOCUMENTS)).scores)
    folder = write_cross_encoder(tmp_path / "scores", **config)
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"model_type": "CrossEncoder", **newest}))
    async with running(folder) as embedder:
        scores = (await embedder.rerank("cat", DOCUMENTS)).scores
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits)) if squeezes else logits, atol=1e-5)
    assert logits.max() < -1  # which no sigmoid makes


def damage(folder: Path, how: str) -> str:
    """Break one thing and return the words that an error should have."""
    config = json.loads((folder / "config.json").read_text())
    weights = load_file(folder / "model.safetensors")
    match how:
        case "three labels":
            config["id2label"] = {"0": "no", "1": "perhaps", "2": "yes"}
            words = "3 labels"
        case "labels unsaid":
            del config["id2label"]
            words = "2 labels"
        case "another activation":
            config["sentence_transformers"] = {"activation_fn": "torch.nn.modules.activation.Tanh"}
            words = "`Tanh`"
        case "lacking a head":
            del weights["classifier.weight"]
            words = "`classifier.weight`"
        case "lacking a pooler":
            del weights["bert.pooler.dense.bias"]
            words = "`bert.pooler.dense.bias`"
        case "a head of another shape":
            weights["classifier.weight"] = torch.zeros(2, 24)
            words = "does not fit"
        case _:
            config["max_position_embeddings"] = "many"
            words = "config.json"
    (folder / "config.json").write_text(json.dumps(config))
    save_file(weights, folder / "model.safetensors")
    return words


@pytest.mark.parametrize(
    "how",
    [
        *("three labels", "labels unsaid", "another activation", "lacking a head", "lacking a pooler"),
        *("a head of another shape", "a word for a number"),
    ],
)
def test_a_folder_that_cannot_rank_is_refused(tmp_path: Path, how: str) -> None:
    words = damage(write_cross_encoder(tmp_path), how)
    with pytest.raises(CheckpointInvalid) as refused:
        load_encoder(tmp_path, "cpu")
    assert words in refused.value.message and str(tmp_path) in refused.value.message


def test_what_is_cut_of_two_texts_is_what_the_library_cuts(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_file(str(write_cross_encoder(tmp_path) / "tokenizer.json"))
    tokenizer.no_padding()
    for room in (1, 6, 7):
        tokenizer.enable_truncation(room, strategy="longest_first")
        for first, second in itertools.product(range(10), repeat=2):
            pair = tokenizer.encode("cat " * first, "dog " * second, add_special_tokens=False)
            kept = pair.sequence_ids.count(0), pair.sequence_ids.count(1)
            assert longest_first(first, second, room) == kept, (first, second, room)


async def test_scores_of_many_callers_are_those_of_one_and_a_small_call_does_not_wait(tmp_path: Path) -> None:
    async with running(write_cross_encoder(tmp_path)) as embedder:
        queries = ["red", "cat dog", "a b c d e", "tree"]
        alone = [await embedder.rerank(query, DOCUMENTS) for query in queries]
        answered: list[str] = []

        async def ask(name: str, query: str, documents: list[str]) -> Any:
            ranking = await embedder.rerank(query, documents)
            answered.append(name)
            return ranking

        calls = [ask("large", "red", ["a b c d e f g h i j k l"] * 2000), *(ask(q, q, DOCUMENTS) for q in queries)]
        _, *together = await asyncio.gather(*calls)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)
    assert answered[-1] == "large"


async def test_what_is_read_is_counted_and_what_is_cut_is_named(tmp_path: Path) -> None:
    async with running(write_cross_encoder(tmp_path)) as embedder:
        ranking = await embedder.rerank("cat dog", ["red", "a b c d e f g h i j k l", "", "one " * 11])
        # Room for 13 tokens beside the three of the frame.
        assert ranking.total_tokens == (3 + 3) + 16 + (3 + 2) + 16
        assert (ranking.query_tokens, ranking.query_read, ranking.documents_cut) == (2, 2, (1,))
        both = await embedder.rerank("cat " * 40, ["red", "a b c d e f g h i j k l", "one " * 11])
        assert (both.query_tokens, both.query_read, both.documents_cut) == (40, 7, (1, 2))
        alone = await embedder.rerank("cat " * 12, ["red"])
        assert both.scores[0] == pytest.approx(alone.scores[0], abs=1e-6) and alone.query_read == 12


async def test_documents_are_cut_to_what_the_caller_says(tmp_path: Path) -> None:
    async with running(write_cross_encoder(tmp_path)) as embedder:
        cut = await embedder.rerank("cat", ["red cat", "red dog"], max_tokens=1)
        assert cut.scores[0] == pytest.approx(cut.scores[1], abs=1e-6) and cut.documents_cut == ()
        whole = await embedder.rerank("cat", ["red cat", "red dog"])
        assert abs(whole.scores[0] - whole.scores[1]) > 1e-5


async def test_a_cross_encoder_makes_no_vectors_and_wants_a_query(tmp_path: Path) -> None:
    async with running(write_cross_encoder(tmp_path), name="judge") as embedder:
        with pytest.raises(RequestError, match="`judge` is a cross-encoder") as refused:
            await embedder.embed(["cat"])
        assert (refused.value.param, refused.value.code) == ("model", "model_type_mismatch")
        with pytest.raises(RequestError) as empty:
            await embedder.rerank(" ", ["dog"])
        assert empty.value.param == "query"


async def test_a_query_counts_with_each_document_that_it_is_read_with(tmp_path: Path) -> None:
    async with running(write_cross_encoder(tmp_path), max_waiting=2) as embedder:
        query = "cat " * 700  # of 4096 characters that fit
        assert len((await embedder.rerank(query, ["dog"])).scores) == 1
        with pytest.raises(TooLarge):
            await embedder.rerank(query, ["dog"] * 2)
