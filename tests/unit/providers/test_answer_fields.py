"""A vendor's answers in OpenAI's form, whole and streamed, wherever a stream is split."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from runtime.errors import UpstreamError
from runtime.providers.inference._openai_compatible.answer_fields import AnswerFields
from runtime.providers.inference._openai_compatible.spec import Chat, Completions
from runtime.sse import EventStream, Frames, Reply

REASONING = Chat(reasoning_field="reasoning")
PARTS = Chat(content_parts=True)
ALWAYS = Chat(usage="always")
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


def whole(facts: Chat | Completions, answer: Any) -> Any:
    return AnswerFields(facts, provider_id="acme").of_reply(Reply.of(answer)).value()


def of_message(**message: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


def of_delta(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


async def streamed(
    facts: Chat | Completions, events: list[Any], *, at_once: int = 1, wants_usage: bool = False
) -> list[Any]:
    """What becomes of a stream. at_once: how many events one read brings."""

    async def reads() -> AsyncGenerator[Frames, None]:
        for place in range(0, len(events), at_once):
            yield Frames.of(*events[place : place + at_once])

    async def nothing() -> None:
        return None

    stream = AnswerFields(facts, provider_id="acme").of_stream(EventStream(reads(), nothing), wants_usage=wants_usage)
    return [event async for frames in stream for event in frames.events()]


def test_reasoning_has_one_name() -> None:
    answer = whole(REASONING, of_message(content="yes", reasoning="Hm."))
    assert answer["choices"][0]["message"] == {"content": "yes", "reasoning_content": "Hm."}


def test_a_name_in_a_text_is_no_name() -> None:
    text = 'say "reasoning": "x", or {"reasoning": 1}'
    answer = whole(REASONING, of_message(content=text, reasoning=text))
    assert answer["choices"][0]["message"] == {"content": text, "reasoning_content": text}


def test_a_vendor_that_sends_both_names_keeps_both() -> None:
    both = of_message(content="yes", reasoning="Hm.", reasoning_content="Hm.")
    assert whole(REASONING, both) == both


@pytest.mark.parametrize("at_once", [1, 2])
async def test_an_event_with_both_names_leaves_the_others_alone(at_once: int) -> None:
    events = [of_delta(reasoning="a", reasoning_content="a"), of_delta(reasoning="b")]
    found = [event["choices"][0]["delta"] for event in await streamed(REASONING, events, at_once=at_once)]
    assert found == [{"reasoning": "a", "reasoning_content": "a"}, {"reasoning_content": "b"}]


def test_an_answer_without_anything_to_change_is_the_same_bytes() -> None:
    reply = Reply(b'{ "choices" : [ {"message": {"content": "hi"}} ] }')
    for facts in (Chat(), REASONING, PARTS, ALWAYS):
        assert AnswerFields(facts, provider_id="acme").of_reply(reply).data is reply.data


@pytest.mark.parametrize("spelled", [b'"reasoning":"Hm."', b'"reasoning" : "Hm."', b'"reasoning"\n:"Hm."'])
def test_a_name_is_found_however_it_is_spaced(spelled: bytes) -> None:
    reply = AnswerFields(REASONING, provider_id="acme").of_reply(Reply(b'{"choices":[{"message":{%b}}]}' % spelled))
    assert json.loads(reply.data)["choices"][0]["message"] == {"reasoning_content": "Hm."}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], {"content": "ab"}),
        (
            [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "yes"}],
            {"content": "yes", "reasoning_content": "Hm."},
        ),
        (
            [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}],
            {"content": None, "reasoning_content": "Hm."},
        ),
        ([{"type": "thinking", "thinking": "Hm."}], {"content": None, "reasoning_content": "Hm."}),
        ([], {"content": ""}),
        ([None, "text", {"type": "image"}], {"content": ""}),
    ],
)
def test_parts_become_text(content: Any, message: dict[str, Any]) -> None:
    assert whole(PARTS, of_message(content=content))["choices"][0]["message"] == message


def test_content_that_is_text_stays_so_where_there_may_be_parts() -> None:
    for text in ("plain", '"content":[', '"thinking"'):
        assert whole(PARTS, of_message(content=text))["choices"][0]["message"] == {"content": text}


def test_finish_reasons_are_openai_s() -> None:
    facts = Chat(finish_reasons={"model_length": "length", "abort": "stop"})
    for theirs, ours in (("model_length", "length"), ("abort", "stop"), ("stop", "stop"), ("aborted", "aborted")):
        answer = {"choices": [{"message": {"content": '"finish_reason": "abort"'}, "finish_reason": theirs}]}
        choice = whole(facts, answer)["choices"][0]
        assert choice == {"message": {"content": '"finish_reason": "abort"'}, "finish_reason": ours}


@pytest.mark.parametrize("at_once", [1, 2, 3, 10])
async def test_reasoning_and_parts_are_changed_in_each_event(at_once: int) -> None:
    facts = Chat(reasoning_field="reasoning", content_parts=True)
    events = [
        of_delta(role="assistant", content=""),
        of_delta(reasoning="Hm"),
        of_delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "."}]}]),
        of_delta(content=[{"type": "text", "text": "yes"}]),
        of_delta(content='"reasoning": 1'),
    ]
    found = [event["choices"][0]["delta"] for event in await streamed(facts, events, at_once=at_once)]
    assert "".join(delta.get("reasoning_content") or "" for delta in found) == "Hm."
    assert "".join(delta.get("content") or "" for delta in found) == 'yes"reasoning": 1'
    assert not any("reasoning" in delta for delta in found)


FIRST = {**USAGE, "completion_tokens": 1, "total_tokens": 2}
LAST = {"choices": [], "usage": USAGE}
RUNNING = [{**of_delta(content="a"), "usage": FIRST}, {**of_delta(content="b"), "usage": USAGE}]
TWICE = [{**of_delta(content="a"), "usage": None}, {**of_delta(content="b"), "usage": USAGE}, LAST]
ONCE = [of_delta(content="a"), of_delta(content="b"), LAST]


@pytest.mark.parametrize("at_once", [1, 2, 3])
@pytest.mark.parametrize("events", [RUNNING, TWICE, ONCE])
async def test_token_counts_come_once_at_the_end_if_asked_for(events: list[Any], at_once: int) -> None:
    found = await streamed(ALWAYS, events, at_once=at_once, wants_usage=True)
    assert [event["usage"] for event in found if event.get("usage")] == [USAGE]
    assert found[-1]["choices"] == []
    assert "".join(event["choices"][0]["delta"]["content"] for event in found[:-1]) == "ab"


@pytest.mark.parametrize("at_once", [1, 2, 3])
@pytest.mark.parametrize("events", [RUNNING, TWICE, ONCE])
async def test_token_counts_do_not_come_unasked(events: list[Any], at_once: int) -> None:
    found = await streamed(ALWAYS, events, at_once=at_once)
    assert not any(event.get("usage") for event in found)
    assert "".join(event["choices"][0]["delta"]["content"] for event in found) == "ab"


async def test_a_stream_without_counts_gets_none() -> None:
    events = [of_delta(content="a"), of_delta(content='"usage"')]
    assert await streamed(ALWAYS, events, wants_usage=True) == events


@pytest.mark.parametrize("facts", [PARTS, ALWAYS], ids=["parts", "usage"])
async def test_an_event_that_is_no_object_stays_as_it_is(facts: Chat) -> None:
    events: list[Any] = [["thinking", "usage"], "thinking usage", None, of_delta(content="a")]
    assert await streamed(facts, events, at_once=4) == events


@pytest.mark.parametrize("facts", [PARTS, ALWAYS], ids=["parts", "usage"])
@pytest.mark.parametrize(
    "data",
    [
        b'data: {"choices":[{"delta":{"content":[]}}],"usage":{"cost":1e999}}\n\n',
        b'data: {"choices":[{"delta":{"content":[]}}]}\ndata: {"usage":{}}\n\n',
    ],
    ids=["a number that is too large", "two in one"],
)
async def test_an_event_that_cannot_be_read_is_the_vendor_s_failure(facts: Chat, data: bytes) -> None:
    async def reads() -> AsyncGenerator[Frames, None]:
        yield Frames(data)

    async def nothing() -> None:
        return None

    stream = AnswerFields(facts, provider_id="acme").of_stream(EventStream(reads(), nothing), wants_usage=True)
    with pytest.raises(UpstreamError, match="`acme` sent an event with JSON that cannot be read"):
        await anext(stream)


def test_an_answer_that_cannot_be_read_is_the_vendor_s_failure() -> None:
    reply = Reply(b'{"choices":[{"message":{"content":[]}}],"cost":1e999}')
    with pytest.raises(UpstreamError, match="`acme` answered with JSON that cannot be read"):
        AnswerFields(PARTS, provider_id="acme").of_reply(reply)


async def test_completions_have_finish_reasons_and_usage_too() -> None:
    facts = Completions(finish_reasons={"abort": "stop"}, usage="always")
    events = [{"choices": [{"text": "a", "finish_reason": "abort"}], "usage": USAGE}]
    found = await streamed(facts, events, wants_usage=True)
    assert [event["choices"] for event in found] == [[{"text": "a", "finish_reason": "stop"}], []]
