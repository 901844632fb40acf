"""What every provider's chat completions are when they were kept: what was answered, streamed or not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runtime.conformance.abilities import needs
from runtime.conformance.inference.subject import Subject

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = "/v1/chat/completions"
PROMPT = [{"role": "user", "content": "Name three colours."}]


def choices_of(answer: dict[str, Any]) -> list[Any]:
    """Without what a stream does not mention where there is none of it, and of log-probabilities the tokens alone: the
    numbers of two runs differ a little.
    """
    for choice in answer["choices"]:
        choice["message"] = {name: value for name, value in choice["message"].items() if value not in (None, [], "")}
        tokens = (choice.get("logprobs") or {}).get("content") or ()
        choice["logprobs"] = [(token["token"], len(token["top_logprobs"])) for token in tokens]
    return list(answer["choices"])


async def kept(subject: Subject, **fields: Any) -> tuple[dict[str, Any], Any]:
    """A chat completion as it is read later, and its answer, whole or in events."""
    body = {"model": subject.chat, "messages": PROMPT, "temperature": 0, "max_tokens": 8, **fields}
    answered = await subject.client.post(CHAT, body)
    assert answered.status == 200, answered.body
    answer: Any = answered.events() if fields.get("stream") else answered.json()
    [id] = {event["id"] for event in answer} if fields.get("stream") else [answer["id"]]
    found = (await subject.client.get(f"{CHAT}/{id}")).json()
    assert found["input_messages"] == PROMPT and found["model"] == subject.chat
    return found, answer


@needs("chat")
async def test_an_answer_is_kept_as_it_was(subject: Subject) -> None:
    found, answer = await kept(subject)
    assert answer.items() <= found.items()


@needs("chat")
async def test_a_stream_is_kept_as_the_answer_that_is_not_streamed(subject: Subject) -> None:
    whole, _ = await kept(subject)
    streamed, events = await kept(subject, stream=True, stream_options={"include_usage": True})
    assert streamed["object"] == "chat.completion" and choices_of(streamed) == choices_of(whole)
    assert streamed.get("usage") == next((event["usage"] for event in events if event.get("usage")), None)


@needs("chat", "logprobs", "n")
async def test_choices_and_log_probabilities_of_a_stream_are_kept(subject: Subject) -> None:
    fields = {"n": 2, "logprobs": True, "top_logprobs": 2}
    (whole, _), (streamed, _) = await kept(subject, **fields), await kept(subject, **fields, stream=True)
    assert [choice["index"] for choice in streamed["choices"]] == [0, 1]
    assert choices_of(streamed) == choices_of(whole) and streamed["choices"][0]["logprobs"]


@needs("chat", "tools", "calls_unasked")
async def test_calls_of_a_stream_are_kept(subject: Subject) -> None:
    function = {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}
    fields = {"tools": [{"type": "function", "function": function}]}
    (whole, _), (streamed, _) = await kept(subject, **fields), await kept(subject, **fields, stream=True)
    assert streamed["choices"][0]["message"]["tool_calls"]
    for answer in (whole, streamed):  # a vendor may write the same JSON with other blanks in a stream
        for call in answer["choices"][0]["message"]["tool_calls"]:
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    assert choices_of(streamed) == choices_of(whole)
