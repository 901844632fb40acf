"""Prompts, answers and calls that public reports say broke others' engines: see `tests/reports.md`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config, serving
from runtime.engine.text.answer_parts import CallArguments, CallStart, Content
from runtime.engine.text.tool_calls import CallReader
from runtime.engine.text.tool_dialects import HERMES
from tests.support.tiny_model import write_tiny_chat_model

asynchronous = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    folder = write_tiny_chat_model(tmp_path_factory.mktemp("tiny") / "Tiny", context_length=256)
    config = {"model": str(folder), "device": "cpu", "dtype": "float32", "threads": 1}
    provider = {"provider_id": "llama", "provider_type": "inline::meta-reference", "config": config}
    async with serving(run_config(provider), tmp_path_factory.mktemp("stack")) as served:
        yield served.client


async def completed(client: Client, **fields: Any) -> dict[str, Any]:
    body = {"model": "llama/Tiny", "temperature": 0, "max_tokens": 6, **fields}
    answered = await client.post("/v1/completions", body)
    assert answered.status == 200, answered.body
    found: dict[str, Any] = answered.json()
    return found


@asynchronous
@pytest.mark.parametrize("prompt", ["\n1. Carol has 20", "日本語 “x” 😀", " two  spaces\n\n\n"])
async def test_a_prompt_alone_has_the_probabilities_of_its_own_tokens(client: Client, prompt: str) -> None:
    [choice] = (await completed(client, prompt=prompt, echo=True, max_tokens=0, logprobs=3))["choices"]
    logprobs = choice["logprobs"]
    assert choice["text"] == prompt
    assert len(logprobs["token_logprobs"]) == len(logprobs["tokens"]) == len(logprobs["text_offset"]) > 3
    assert logprobs["token_logprobs"][0] is None and all(one < 0 for one in logprobs["token_logprobs"][1:])
    assert logprobs["text_offset"] == sorted(logprobs["text_offset"])
    for token, place in zip(logprobs["tokens"], logprobs["text_offset"], strict=True):
        assert token.startswith("bytes:") or prompt.startswith(token, place)
    shown = [token for top in logprobs["top_logprobs"][1:] for token in top] + logprobs["tokens"]
    assert not any("Ġ" in token or "▁" in token or token == "" for token in shown)


@asynchronous
@pytest.mark.parametrize("length", range(1, 5))
async def test_text_before_a_stop_string_is_there_once_however_it_is_sent(client: Client, length: int) -> None:
    [whole] = (await completed(client, prompt="Alice: Hi", max_tokens=24))["choices"]
    stops = [whole["text"][8 : 8 + length], "Alice:"]
    [stopped] = (await completed(client, prompt="Alice: Hi", max_tokens=24, stop=stops))["choices"]
    body = {"model": "llama/Tiny", "prompt": "Alice: Hi", "temperature": 0, "max_tokens": 24, "stop": stops}
    chunks = (await client.post("/v1/completions", {**body, "stream": True})).events()
    streamed = "".join(choice["text"] for chunk in chunks for choice in chunk["choices"])
    assert streamed == stopped["text"] == whole["text"][: whole["text"].index(stops[0])]


def read(answer: str, cut: int) -> tuple[str, list[tuple[str, str]]]:
    """The text and the calls of an answer that comes in pieces of so many characters."""
    reader = CallReader(HERMES, {"now", "sum"})
    pieces = [answer[at : at + cut] for at in range(0, len(answer), cut)]
    parts = [part for piece in pieces for part in reader.push(piece)] + reader.finish()
    text = "".join(part.text for part in parts if isinstance(part, Content))
    calls = [(part.name, part.index) for part in parts if isinstance(part, CallStart)]
    written = {index: "" for _, index in calls}
    for part in parts:
        if isinstance(part, CallArguments):
            written[part.index] += part.text
    return text, [(name, written[index]) for name, index in calls]


HARD = '{"a": "say </tool_call> \\" } ] 一、二\\n"}'


@pytest.mark.parametrize("cut", [1, 2, 7, 1000])
@pytest.mark.parametrize(
    ("answer", "text", "calls"),
    [
        (
            '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>\n'
            '<tool_call>\n{"name": "sum", "arguments": {"a": 1}}\n</tool_call>',
            "",
            [("now", "{}"), ("sum", '{"a": 1}')],
        ),
        ('<tool_call>{"name": "sum", "arguments": ' + HARD + "}</tool_call>", "", [("sum", HARD)]),
        ('<tool_call>\n{"arguments": {"a": 2}, "name": "sum"}\n</tool_call>', "", [("sum", '{"a": 2}')]),
        ('Write {"name": "sum", "arguments": {"a": 1}}.', 'Write {"name": "sum", "arguments": {"a": 1}}.', []),
        ('```json\n{"name": "sum", "arguments": {}}\n```', '```json\n{"name": "sum", "arguments": {}}\n```', []),
    ],
    ids=["empty-then-another", "hard-text", "arguments-first", "in-a-sentence", "in-code"],
)
def test_calls_are_those_that_are_marked_with_all_of_their_arguments(
    answer: str, text: str, calls: list[tuple[str, str]], cut: int
) -> None:
    assert read(answer, cut) == (text, calls)
    assert all(json.loads(arguments) is not None for _, arguments in calls)
