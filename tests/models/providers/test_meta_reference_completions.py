"""Completions of our engine's provider: the echo with log-probabilities, the best of several, filling in. By torch, and
by our kernels.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Answered, Client
from runtime.conformance.stacks import run_config, serving
from runtime.engine.checkpoints.opening import open_checkpoint
from runtime.engine.text.infill import infill_prompt
from runtime.engine.text.loading import load_tokenizer
from runtime.engine.text.special_tokens import SpecialTokens
from runtime.engine.text.tokenizer import Tokenizer
from tests.support.tiny_llama import slow_logits
from tests.support.tiny_model import write_tiny_chat_model

pytestmark = pytest.mark.asyncio(loop_scope="module")


# How near log-probabilities are to exact arithmetic: 8 bits have about this much room.
NEAR = {"float32": 1e-4, "quantized": 0.2}


@pytest.fixture(scope="module", params=NEAR)
def dtype(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_chat_model(tmp_path_factory.mktemp("tiny") / "Tiny", context_length=256, head_dim=16)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(folder: Path, dtype: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    config = {"model": str(folder), "device": "cpu", "dtype": dtype, "threads": 1}
    provider = {"provider_id": "llama", "provider_type": "inline::meta-reference", "config": config}
    async with serving(run_config(provider), tmp_path_factory.mktemp("stack")) as served:
        yield served.client


async def complete(client: Client, **fields: Any) -> Answered:
    body = {"model": "llama/Tiny", "prompt": "helloé", "temperature": 0, "max_tokens": 4, **fields}
    return await client.post("/v1/completions", body)


async def test_an_echo_has_the_log_probabilities_of_the_prompt(client: Client, folder: Path, dtype: str) -> None:
    answer = (await complete(client, echo=True, logprobs=2)).json()
    (choice,) = answer["choices"]
    logprobs = choice["logprobs"]
    ids = load_tokenizer(folder).encode("helloé")
    checkpoint = open_checkpoint(folder)
    reference = slow_logits(checkpoint.config, dict(checkpoint.weights()), ids).log_softmax(-1)
    own = [float(reference[at, id]) for at, id in enumerate(ids[1:])]
    assert logprobs["token_logprobs"][0] is None and logprobs["top_logprobs"][0] is None
    assert logprobs["token_logprobs"][1 : len(ids)] == pytest.approx(own, abs=NEAR[dtype])
    assert logprobs["tokens"][:5] == list("hello") and logprobs["tokens"][5] == "bytes:\\xc3"
    assert logprobs["text_offset"][:7] == [0, 1, 2, 3, 4, 5, 5]
    assert logprobs["text_offset"][7] == len("helloé") and len(logprobs["tokens"]) == len(ids) + 4
    assert all(len(top) in (2, 3) for top in logprobs["top_logprobs"][1:])
    assert answer["usage"] == {
        "prompt_tokens": 7,
        "completion_tokens": 4,
        "total_tokens": 11,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    streamed = (await complete(client, echo=True, logprobs=2, stream=True)).events()
    pieces = [one["choices"][0] for one in streamed]
    assert "".join(piece["text"] for piece in pieces) == choice["text"]
    for name in logprobs:
        assert [value for piece in pieces for value in piece["logprobs"][name]] == logprobs[name]


@pytest.mark.parametrize("logprobs", [None, 1])
async def test_an_echo_alone_scores_a_text(client: Client, logprobs: int | None) -> None:
    answer = (await complete(client, echo=True, logprobs=logprobs, max_tokens=0)).json()
    (choice,) = answer["choices"]
    assert (choice["text"], choice["finish_reason"]) == ("helloé", "length")
    assert answer["usage"]["completion_tokens"] == 0
    assert choice["logprobs"] is None if logprobs is None else len(choice["logprobs"]["tokens"]) == 7
    events = (await complete(client, echo=True, logprobs=logprobs, max_tokens=0, stream=True)).events()
    assert "".join(event["choices"][0]["text"] for event in events) == "helloé"


async def test_a_bias_forbids_a_token_or_demands_it(client: Client, folder: Path) -> None:
    ids = {letter: load_tokenizer(folder).encode(letter)[0] for letter in "qz"}

    async def written(**bias: float) -> str:
        asked = {str(ids[letter]): value for letter, value in bias.items()}
        return str((await complete(client, logit_bias=asked, max_tokens=3)).json()["choices"][0]["text"])

    assert await written(q=100) == "qqq"
    assert set(await written(q=100, z=100)) <= {"q", "z"}
    assert await written(q=-100, z=100) == "zzz"


async def test_the_best_of_several_answers_have_the_likeliest_tokens(client: Client) -> None:
    fields: dict[str, Any] = {"prompt": ["hello", "you"], "temperature": 1, "seed": 5, "max_tokens": 6}
    every = (await complete(client, n=6, logprobs=0, **fields)).json()["choices"]
    answer = (await complete(client, n=2, best_of=6, **fields)).json()
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    for at, prompt in enumerate((every[:6], every[6:])):
        means = {one["text"]: _mean(one["logprobs"]["token_logprobs"]) for one in prompt}
        likeliest = sorted(means, key=lambda text: -means[text])
        assert [choice["text"] for choice in answer["choices"][2 * at : 2 * at + 2]] == likeliest[:2]
    assert all(choice["logprobs"] is None for choice in answer["choices"])
    assert answer["usage"]["completion_tokens"] == 72  # what is thrown away was written too


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"suffix": "end"}, 501, "suffix"),
        ({"suffix": "end", "echo": True}, 400, "echo"),
        ({"suffix": "end", "prompt": ["a", "b"]}, 400, "prompt"),
        ({"best_of": 3, "stream": True}, 400, "best_of"),
        ({"best_of": 1, "n": 2}, 400, "best_of"),
        ({"best_of": 20, "prompt": ["a"] * 200}, 400, "n"),
        ({"max_tokens": 0}, 400, "max_tokens"),
    ],
)
async def test_what_is_refused_is_named(client: Client, fields: dict[str, Any], status: int, param: str) -> None:
    answer = await complete(client, **fields)
    assert (answer.status, answer.error["param"]) == (status, param), answer.body


async def test_one_answer_is_the_best_of_one(client: Client) -> None:
    assert (await complete(client, best_of=1, stream=True)).status == 200
    assert (await complete(client, suffix="")).status == 200


@pytest.mark.parametrize("name", ["<fim_{}>", "<|fim_{}|>"])
async def test_a_model_that_fills_in_gets_the_prefix_the_suffix_and_then_the_middle(name: str) -> None:
    special = {name.format(part): 300 + at for at, part in enumerate(("prefix", "suffix", "middle"))}

    def tokenizer(special: dict[str, int]) -> Tokenizer:
        return Tokenizer(
            encode_plain=lambda text, is_first: list(text.encode()),
            piece_bytes=lambda id: bytes([id]),
            special=SpecialTokens({**special, "<s>": 1}),
            vocab_size=400,
            bos_id=1,
            eos_id=None,
            add_bos=True,
        )

    filled = infill_prompt(tokenizer(special), "a" + name.format("middle"), "b")
    assert filled == [1, 300, *("a" + name.format("middle")).encode(), 301, *b"b", 302]
    assert infill_prompt(tokenizer({"<fim_prefix>": 300}), "a", "b") is None


async def test_an_empty_answer_is_not_the_best_of_several(client: Client) -> None:
    fields = {"guided_choice": ["", "a"], "temperature": 2, "seed": 3, "best_of": 16}
    both = (await complete(client, **fields, n=16)).json()["choices"]
    assert {choice["text"] for choice in both} == {"", "a"}
    (kept,) = (await complete(client, **fields)).json()["choices"]
    assert kept["text"] == "a"
