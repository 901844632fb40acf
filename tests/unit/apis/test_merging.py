"""A stream says the same as the answer that was not streamed, however it is cut."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.apis.inference.merging import MergedChat
from runtime.sse import Frames

texts = st.text(max_size=20)
some = st.none() | texts
scalars = st.none() | st.booleans() | st.integers(-9, 9) | texts
tokens = st.fixed_dictionaries(
    {"token": texts, "logprob": st.floats(-9, 0), "bytes": st.none() | st.lists(st.integers(0, 255), max_size=3)}
)
logprobs = st.none() | st.fixed_dictionaries(
    {"content": st.lists(tokens, min_size=1, max_size=5), "refusal": st.none()}
)
functions = st.fixed_dictionaries(
    {
        "id": st.text(min_size=1, max_size=5),
        "type": st.just("function"),
        "function": st.fixed_dictionaries({"name": st.text(min_size=1, max_size=5), "arguments": texts}),
    }
)
customs = st.fixed_dictionaries(
    {
        "id": st.text(min_size=1, max_size=5),
        "type": st.just("custom"),
        "custom": st.fixed_dictionaries({"name": st.text(min_size=1, max_size=5), "input": texts}),
    }
)
sounds = st.fixed_dictionaries(
    {
        "id": st.just("audio_1"),
        "expires_at": st.integers(1, 9),
        "transcript": texts,
        "data": st.binary(max_size=30).map(lambda sound: base64.b64encode(sound).decode()),
    }
)
messages = st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": some},
    optional={
        "refusal": some,
        "reasoning_content": texts,
        "tool_calls": st.lists(functions | customs, min_size=1, max_size=3),
        "function_call": st.fixed_dictionaries({"name": st.just("add"), "arguments": texts}),
        "annotations": st.lists(st.fixed_dictionaries({"type": st.just("url_citation"), "at": texts}), min_size=1),
        "audio": sounds,
        "x_vendor": texts,
    },
)
choices = st.fixed_dictionaries(
    {"message": messages, "logprobs": logprobs, "finish_reason": st.sampled_from(["stop", "length", "tool_calls"])},
    optional={"stop_reason": st.integers(1, 9)},
)
answers = st.fixed_dictionaries(
    {
        "id": st.text(min_size=1, max_size=9),
        "object": st.just("chat.completion"),
        "created": st.integers(1, 2**40),
        "model": st.text(min_size=1, max_size=9),
        "choices": st.lists(choices, min_size=1, max_size=3).map(
            lambda all: [{"index": index, **choice} for index, choice in enumerate(all)]
        ),
    },
    optional={
        "usage": st.fixed_dictionaries({"prompt_tokens": st.integers(0, 9), "total_tokens": st.integers(0, 9)}),
        "system_fingerprint": texts,
        "service_tier": st.none(),
        "citations": st.lists(texts, min_size=1, max_size=2),
    },
)


def cut(text: str, chance: random.Random) -> list[str]:
    """A text in pieces, which may be empty."""
    places = sorted(chance.choices(range(len(text) + 1), k=chance.randint(0, 4)))
    return [text[begin:end] for begin, end in zip([0, *places], [*places, len(text)], strict=True)]


def parts_of(name: str, value: Any, chance: random.Random) -> Iterable[Any]:
    """The parts of a delta's member, as vendors send them."""
    if name == "tool_calls":
        for index, call in enumerate(value):
            kind = call["type"]
            part = "arguments" if kind == "function" else "input"
            head = {**call, "index": index, kind: {**call[kind], part: ""}}
            yield [head]
            yield from ([{"index": index, kind: {part: piece}}] for piece in cut(call[kind][part], chance))
    elif name == "function_call":
        yield {"name": value["name"], "arguments": ""}
        yield from ({"arguments": piece} for piece in cut(value["arguments"], chance))
    elif name == "audio":
        yield {"id": value["id"], "transcript": "", "data": ""}
        yield from ({"transcript": piece} for piece in cut(value["transcript"], chance))
        sound = base64.b64decode(value["data"])
        at = chance.randint(0, len(sound))
        yield from ({"data": base64.b64encode(half).decode()} for half in (sound[:at], sound[at:]))
        yield {"expires_at": value["expires_at"]}
    elif name == "role" or value is None:
        yield value
    elif isinstance(value, list):
        yield from ([item] for item in value)
    else:
        yield from cut(value, chance)


def chunks_of(answer: dict[str, Any], chance: random.Random) -> list[dict[str, Any]]:
    """The events of a stream that says the same."""
    head = {name: answer[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    others = {name: value for name, value in answer.items() if name not in (*head, "choices")}
    streams = []
    for choice in answer["choices"]:
        deltas = [{name: part} for name, value in choice["message"].items() for part in parts_of(name, value, chance)]
        parts: list[dict[str, Any]] = [{"delta": delta, "logprobs": None, "finish_reason": None} for delta in deltas]
        for token in (choice["logprobs"] or {}).get("content", ()):
            parts.append({"delta": {}, "logprobs": {"content": [token], "refusal": None}})
        end = {name: value for name, value in choice.items() if name not in ("message", "logprobs", "index")}
        streams.append([{"index": choice["index"], **part} for part in [*parts, {"delta": {}, **end}]])
    chunks = []
    while streams:
        stream = chance.choice(streams)
        chunks.append({**head, "choices": [stream.pop(0)]})
        if chance.random() < 0.2 and others:
            chunks[-1] |= others | ({"usage": None} if "usage" in others else {})
        streams = [one for one in streams if one]
    return [*chunks, {**head, **others, "choices": []}]


def events_of(chunks: list[dict[str, Any]], chance: random.Random) -> list[bytes]:
    """The chunks as reads of whole events."""
    spaces: tuple[tuple[str, str] | None, ...] = (None, (",", ":"))
    reads = [b""]
    for chunk in chunks:
        data = json.dumps(chunk, ensure_ascii=chance.random() < 0.5, separators=chance.choice(spaces))
        reads[-1] += f"data: {data}\n\n".encode()
        if chance.random() < 0.5:
            reads.append(chance.choice([b"", b": still there\n\n"]))
    return reads


@given(answer=answers, chance=st.randoms(use_true_random=True))
@settings(deadline=None, max_examples=100)
def test_a_stream_that_is_cut_anywhere_says_what_the_answer_says(answer: dict[str, Any], chance: random.Random) -> None:
    merged = MergedChat(choices=len(answer["choices"]))
    for read in events_of(chunks_of(answer, chance), chance):
        merged.add(read)
    assert merged.finished == len(answer["choices"])
    assert merged.answer() == answer


def chunk(delta: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "1", "choices": [{"index": 0, "delta": delta}], **more}


def merged(*chunks: dict[str, Any]) -> dict[str, Any]:
    chat = MergedChat(choices=2)
    for one in chunks:
        chat.add(Frames.of(one).data)
    return chat.answer()


def content_of(answer: dict[str, Any]) -> Any:
    return answer["choices"][0]["message"]["content"]


def test_a_long_run_of_text_is_not_read_event_by_event(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []
    usual: Callable[[MergedChat, bytes], None] = MergedChat._read
    monkeypatch.setattr(MergedChat, "_read", lambda chat, event: (read.append(event), usual(chat, event)))
    pieces = ["a", 'b"', "\\", "é", "", "😀", "\n", '"}}]}', "c" * 100]
    assert content_of(merged(*(chunk({"content": piece}) for piece in pieces * 20))) == "".join(pieces * 20)
    assert len(read) == 1


def test_what_changes_beside_the_text_is_seen() -> None:
    answer = merged(
        chunk({"content": "a"}, citations=["x"]),
        chunk({"content": "b"}, citations=["x"]),
        chunk({"content": "c"}, citations=["x", "y"]),
        chunk({"content": "d", "refusal": "no"}, citations=["x", "y"]),
    )
    assert (content_of(answer), answer["citations"]) == ("abcd", ["x", "y"])
    assert answer["choices"][0]["message"]["refusal"] == "no"


def test_two_texts_at_once_both_grow() -> None:
    answer = merged(*(chunk({"content": piece, "refusal": "no"}) for piece in "abc"))
    assert content_of(answer) == "abc"
    assert answer["choices"][0]["message"]["refusal"] == "nonono"


def test_an_answer_began_when_its_first_chunk_says() -> None:
    answer = merged(*(chunk({"content": "a"}, created=created) for created in (7, 8, 9)))
    assert (answer["created"], content_of(answer)) == (7, "aaa")


def test_a_vendor_that_repeats_what_comes_once_is_believed_once() -> None:
    call = {"index": 0, "id": "call_1", "type": "function"}
    answer = merged(
        chunk({"role": "assistant", "tool_calls": [call | {"function": {"name": "add", "arguments": "{"}}]}),
        chunk({"role": "assistant", "tool_calls": [call | {"id": "", "function": {"name": "add", "arguments": "}"}}]}),
    )
    made = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    assert answer["choices"][0]["message"]["tool_calls"] == [made]


@pytest.mark.parametrize("data", [b"data: {\n\n", b"data: []\n\n", b'data: {"choices":[1]}\n\n'])
def test_an_event_that_makes_no_sense_is_an_error(data: bytes) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError)):
        MergedChat(choices=1).add(data)


def test_no_more_answers_are_kept_than_were_asked_for() -> None:
    """A vendor sent 20,000 of 1 KB each: 22 MB were kept for one short question."""
    chat = MergedChat(choices=2)
    chat.add(Frames.of(*({"choices": [{"index": index, "delta": {"content": "a"}}]} for index in range(2))).data)
    with pytest.raises(ValueError, match="more answers than the 2"):
        chat.add(Frames.of({"choices": [{"index": 2, "delta": {"content": "a"}}]}).data)


@pytest.mark.parametrize("delta", [{"content": "abcdefgh"}, {"content": "a", "refusal": "no"}], ids=["run", "whole"])
def test_an_answer_without_end_is_not_kept(delta: dict[str, Any]) -> None:
    chat = MergedChat(choices=1, limit_bytes=2000)
    event = Frames.of(chunk(delta)).data
    with pytest.raises(ValueError, match="too long"):
        for _ in range(2000):
            chat.add(event)


@pytest.mark.timeout(30)
def test_a_delta_of_very_many_calls_is_merged_in_one_pass() -> None:
    """Each was looked for among all before it: minutes."""
    calls = [{"index": at, "id": f"c{at}", "function": {"name": "f", "arguments": "{}"}} for at in range(60_000)]
    answer = merged(chunk({"role": "assistant", "tool_calls": calls}))
    assert [call["id"] for call in answer["choices"][0]["message"]["tool_calls"]] == [call["id"] for call in calls]
