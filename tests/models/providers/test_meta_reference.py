"""Our engine behind OpenAI's requests, with a tiny model: what it refuses by which name, what waits for weights.

What every inference provider promises is in `tests/conformance/test_inference.py`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

pytest.importorskip("torch")

from runtime.apis.inference.protocol import ChatCompletionRequest, CompletionRequest
from runtime.catalog.weights import Shipped, find_model
from runtime.conformance.asgi import Answered, Client
from runtime.conformance.stacks import run_config, serving
from runtime.context import RequestContext
from runtime.context import serving as request_context
from runtime.errors import RequestError, StackError, Unavailable
from runtime.providers.inference._loading import Loading
from runtime.providers.inference.meta_reference.defaults import SamplingDefaults, sampling_defaults
from runtime.providers.inference.meta_reference.requests import chat_params, completion_params
from runtime.providers.inference.meta_reference.weights import find_weights
from tests.support.tiny_model import write_tiny_chat_model

PLAIN = SamplingDefaults()
MESSAGES: list[Any] = [{"role": "user", "content": "hi"}]


def chat_request(**fields: Any) -> ChatCompletionRequest:
    return ChatCompletionRequest.model_validate({"model": "m", "messages": MESSAGES, **fields})


def completion_request(**fields: Any) -> CompletionRequest:
    return CompletionRequest.model_validate({"model": "m", "prompt": "x", **fields})


# Requests in the engine's words


def test_what_a_request_leaves_out_has_openai_s_defaults() -> None:
    params = chat_params(chat_request(), PLAIN)
    assert (params.temperature, params.top_p, params.max_tokens, params.seed, params.logprobs) == (
        1.0,
        1.0,
        None,
        None,
        None,
    )
    assert completion_params(completion_request(), PLAIN).max_tokens == 16


def test_what_a_request_leaves_out_is_as_the_model_s_makers_advise() -> None:
    advised = SamplingDefaults(temperature=0.2, top_p=0.9, top_k=40, repetition_penalty=1.1)
    params = chat_params(chat_request(top_k=5), advised)
    assert (params.temperature, params.top_p, params.top_k, params.repetition_penalty) == (0.2, 0.9, 5, 1.1)


@pytest.mark.parametrize(
    ("text", "advised"),
    [
        (
            '{"temperature": 0.6, "top_p": 0.9, "do_sample": true, "eos_token_id": [1]}',
            {"temperature": 0.6, "top_p": 0.9},
        ),
        ('{"temperature": "hot", "top_k": true}', {}),
        ("[1]", {}),
        ("no JSON", {}),
        (None, {}),
    ],
)
def test_advice_comes_from_the_folder_of_the_weights(
    tmp_path: Path, text: str | None, advised: dict[str, float]
) -> None:
    if text is not None:
        (tmp_path / "generation_config.json").write_text(text)
    assert sampling_defaults("mine", tmp_path).advised() == advised


def test_the_model_that_comes_with_us_is_not_left_to_its_whole_distribution() -> None:
    advised = sampling_defaults("SmolLM2-135M-Instruct", Path("x.gguf"))
    assert advised.temperature < 0.5 and advised.top_p < 1


def test_what_a_request_says_is_taken_over() -> None:
    params = chat_params(
        chat_request(
            temperature=0, top_p=0.5, max_tokens=9, max_completion_tokens=3, seed=-1, frequency_penalty=-2,
            presence_penalty=2, logit_bias={"7": -100}, logprobs=True, top_logprobs=4, top_k=5, min_p=0.1,
            repetition_penalty=1.2, ignore_eos=True,
        ),
        PLAIN,
    )  # fmt: skip
    assert (params.temperature, params.top_p, params.max_tokens, params.seed) == (0, 0.5, 3, -1)
    assert (params.frequency_penalty, params.presence_penalty, params.logit_bias, params.logprobs) == (
        -2,
        2,
        {7: -100},
        4,
    )
    assert (params.top_k, params.min_p, params.repetition_penalty, params.ignore_eos) == (5, 0.1, 1.2, True)


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"top_logprobs": 2}, 400, "top_logprobs"),
        ({"logit_bias": {"word": 1}}, 400, "logit_bias"),
        ({"top_k": "many"}, 400, "top_k"),
        ({"ignore_eos": 1}, 400, "ignore_eos"),
        ({"min_p": True}, 400, "min_p"),
        ({"top_k": 2.5}, 400, "top_k"),
        ({"min_p": 10**400}, 400, "min_p"),
        ({"repetition_penalty": 10**400}, 400, "repetition_penalty"),
    ],
)
def test_what_cannot_be_done_for_a_chat_is_refused_by_name(fields: dict[str, Any], status: int, param: str) -> None:
    with pytest.raises(StackError) as caught:
        chat_params(chat_request(**fields), PLAIN)
    assert (caught.value.status, caught.value.param) == (status, param)


def test_defaults_of_a_model_are_said_where_they_are_taken() -> None:
    advised = SamplingDefaults(temperature=0.2, top_k=40, frequency_penalty=0.5)
    with request_context(RequestContext()) as context:
        chat_params(chat_request(temperature=0.7, top_k=3), advised)
    assert context.warnings == ["this model's defaults: frequency_penalty 0.5"]


def test_fields_nobody_knows_are_named_in_a_warning_and_those_without_effect_are_not() -> None:
    with request_context(RequestContext()) as context:
        chat_params(chat_request(zeta=1, alpha=None, metadata={}, service_tier="auto", user="u", top_k=None), PLAIN)
    assert context.warnings == ["ignored by this provider: zeta"]  # null is as good as left out


def test_of_a_field_that_is_spelled_wrong_the_right_one_is_named() -> None:
    with request_context(RequestContext()) as context:
        chat_params(chat_request(max_tokns=5, repetition_penalti=1, zeta=1), PLAIN)
    words = "max_tokns (max_tokens?), repetition_penalti (repetition_penalty?), zeta"
    assert context.warnings == [f"ignored by this provider: {words}"]


# Weights


def test_weights_are_found_by_path_and_named_after_it(tmp_path: Path) -> None:
    (tmp_path / "Mine.gguf").touch()
    assert find_weights(str(tmp_path / "Mine.gguf"), None) == ("Mine", tmp_path / "Mine.gguf")
    assert find_weights("meta-llama/Llama-3.2-1B", str(tmp_path)) == ("meta-llama/Llama-3.2-1B", tmp_path)


@pytest.mark.parametrize(("model", "folder"), [("nobody/knows", None), ("SmolLM2-135M-Instruct", "/nowhere")])
def test_weights_that_are_not_there_are_said_to_be(model: str, folder: str | None) -> None:
    with pytest.raises(Unavailable) as caught:
        find_weights(model, folder)
    assert caught.value.code == "weights_not_found"


def test_weights_whose_package_is_missing_name_what_to_run() -> None:
    with pytest.raises(Unavailable) as caught:
        find_model("m", {"m": Shipped("a_package_that_is_not_there", "x.gguf")}, what="a file")
    assert caught.value.hint == "build the distribution again: `llama stack build`"


async def test_a_request_that_is_early_waits_for_the_model() -> None:
    loading, loaded = Loading("m", limit_s=5), asyncio.Event()

    async def load() -> None:
        await loaded.wait()

    work = asyncio.create_task(loading.run(load()))
    early = asyncio.create_task(loading.wait())
    await asyncio.sleep(0)
    assert not early.done()
    loaded.set()
    await asyncio.gather(work, early)
    await loading.wait()


async def test_waiting_has_an_end() -> None:
    with pytest.raises(Unavailable) as caught:
        await Loading("m", limit_s=0.01).wait()
    assert (caught.value.message, caught.value.headers) == ("Model `m` is still loading", {"retry-after": "5"})


@pytest.mark.parametrize(
    ("failure", "words"), [(Unavailable("no weights"), "no weights"), (ValueError("bug"), "could not be loaded")]
)
async def test_a_failure_to_load_is_told_to_every_request(failure: Exception, words: str) -> None:
    loading = Loading("m", limit_s=5)

    async def fail() -> None:
        raise failure

    with pytest.raises(type(failure)):
        await loading.run(fail())
    for _ in range(2):
        with pytest.raises(StackError, match=words):
            await loading.wait()


# With a model


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    folder = tmp_path_factory.mktemp("tiny")
    model = write_tiny_chat_model(folder / "Tiny", context_length=128)
    config = {"model": str(model), "device": "cpu", "dtype": "float32", "threads": 1}
    provider = {"provider_id": "llama", "provider_type": "inline::meta-reference", "config": config}
    async with serving(run_config(provider), folder) as served:
        assert served.stack.degraded() == {}
        yield served.client


pytestmark_module = pytest.mark.asyncio(loop_scope="module")


async def complete(client: Client, **fields: Any) -> Answered:
    body = {"model": "llama/Tiny", "prompt": "hello", "temperature": 0, "max_tokens": 4, **fields}
    return await client.post("/v1/completions", body)


@pytestmark_module
async def test_the_model_says_how_long_its_context_is(client: Client) -> None:
    model = (await client.get("/v1/models/llama/Tiny")).json()
    assert model["metadata"]["context_length"] == 128
    health = (await client.get("/v1/providers/llama")).json()["health"]
    assert health["message"] == "Tiny on cpu: 0 running, 0 waiting"


@pytestmark_module
async def test_what_a_response_would_read_is_counted_as_it_is_read(client: Client) -> None:
    """Also if it is more than the model can read."""
    for words in (1, 5, 1000):
        asked = {"model": "llama/Tiny", "input": "hello " * words, "instructions": "Be brief", "max_output_tokens": 1}
        counted = await client.post("/v1/responses/input_tokens", asked)
        assert counted.status == 200 and "x-llama-warnings" not in counted.headers
        made = await client.post("/v1/responses", asked)
        if words < 1000:
            assert made.json()["usage"]["input_tokens"] == counted.json()["input_tokens"]
        else:
            assert made.error["code"] == "context_length_exceeded" and counted.json()["input_tokens"] > 1000
    chat = {"model": "llama/Tiny", "messages": [{"role": "user", "content": "hello " * 1000}]}
    refused = (await client.post("/v1/chat/completions", chat)).error
    assert (refused["code"], refused["param"]) == ("context_length_exceeded", "messages")


@pytestmark_module
async def test_a_response_is_truncated_to_the_context(client: Client) -> None:
    said = [{"role": role, "content": "hello"} for _ in range(20) for role in ("user", "assistant")]
    asked = {"model": "llama/Tiny", "input": [*said, {"role": "user", "content": "hi"}], "max_output_tokens": 1}
    assert (await client.post("/v1/responses", asked)).error["code"] == "context_length_exceeded"
    made = await client.post("/v1/responses", asked | {"truncation": "auto"})
    assert made.status == 200 and made.json()["usage"]["input_tokens"] < 128


async def test_a_custom_tool_is_called_with_what_its_regular_expression_allows(tmp_path: Path) -> None:
    tool = {"type": "custom", "name": "f", "format": {"type": "grammar", "syntax": "regex", "definition": "[0-9]{2}"}}
    asked = {"model": "llama/Tiny", "input": "hello", "tools": [tool], "tool_choice": {"type": "custom", "name": "f"}}
    model = write_tiny_chat_model(tmp_path / "Tiny", context_length=2048)
    config = {"model": str(model), "device": "cpu", "dtype": "float32", "threads": 1}
    provider = {"provider_id": "llama", "provider_type": "inline::meta-reference", "config": config}
    async with serving(run_config(provider), tmp_path) as served:
        made = await served.client.post("/v1/responses", asked)
    assert made.status == 200, made.body
    [call] = made.json()["output"]
    assert (call["type"], call["name"], call["status"]) == ("custom_tool_call", "f", "completed")
    assert re.fullmatch("[0-9]{2}", call["input"])


@pytestmark_module
async def test_token_ids_are_a_prompt_like_their_text(client: Client) -> None:
    from runtime.engine.text.loading import load_tokenizer

    config = (await client.get("/v1/providers/llama")).json()["config"]
    ids = load_tokenizer(Path(config["model"])).encode("hello")
    expected = (await complete(client)).json()["choices"][0]["text"]
    assert (await complete(client, prompt=ids)).json()["choices"][0]["text"] == expected
    assert [choice["text"] for choice in (await complete(client, prompt=[ids, ids])).json()["choices"]] == [
        expected
    ] * 2


@pytestmark_module
async def test_an_echo_puts_the_prompt_before_the_answer(client: Client) -> None:
    plain = (await complete(client)).json()["choices"][0]["text"]
    assert (await complete(client, echo=True)).json()["choices"][0]["text"] == "hello" + plain
    streamed = (await complete(client, echo=True, stream=True)).events()
    assert "".join(event["choices"][0]["text"] for event in streamed) == "hello" + plain


@pytestmark_module
async def test_log_probabilities_of_a_completion_stand_where_their_tokens_do(client: Client) -> None:
    choice = (await complete(client, logprobs=2, max_tokens=6)).json()["choices"][0]
    logprobs = choice["logprobs"]
    assert len({len(logprobs[name]) for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset")}) == 1
    assert logprobs["text_offset"][0] == 0 and logprobs["text_offset"][-1] < len(choice["text"])
    assert all(value <= 0 for value in logprobs["token_logprobs"])
    assert all(len(top) == 2 for top in logprobs["top_logprobs"])


@pytestmark_module
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": []}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": [999_999]}, "prompt"),
        ({"prompt": [-1]}, "prompt"),
        ({"stop": ""}, "stop"),
        ({"stop": ["a", ""]}, "stop"),
        ({"stop": ["a"] * 65}, "stop"),
        ({"stop": "a" * 4097}, "stop"),
        ({"logit_bias": {"999999": 1}}, "logit_bias"),
        ({"prompt": ["hello"] * 2049}, "prompt"),
        ({"prompt": ["hello"] * 17, "n": 128}, "n"),
    ],
)
async def test_what_the_engine_refuses_is_a_400_before_the_first_byte(
    client: Client, fields: dict[str, Any], param: str
) -> None:
    for stream in (False, True):
        answer = await complete(client, stream=stream, **fields)
        assert (answer.status, answer.error["param"]) == (400, param), answer.body


@pytestmark_module
async def test_a_prompt_beyond_the_context_names_both_numbers(client: Client) -> None:
    answer = await complete(client, prompt="x" * 500)
    assert (answer.status, answer.error["code"]) == (400, "context_length_exceeded")
    assert "500" in answer.error["message"] and "128" in answer.error["message"]


@pytestmark_module
async def test_no_tokens_at_all_cannot_be_asked_for(client: Client) -> None:
    answer = await complete(client, max_tokens=0)
    assert (answer.status, answer.error["param"]) == (400, "max_tokens")


@pytestmark_module
async def test_an_embedding_of_a_chat_model_is_a_400(client: Client) -> None:
    answer = await client.post("/v1/embeddings", {"model": "llama/Tiny", "input": "x"})
    assert (answer.status, answer.error["code"]) == (400, "model_type_mismatch")


def test_messages_without_an_alternative_are_refused_as_a_request() -> None:
    with pytest.raises(RequestError):
        chat_params(chat_request(top_logprobs=1, logprobs=False), PLAIN)
