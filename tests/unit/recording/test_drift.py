"""What counts as drift of an answer's schema, what of its meaning, and what as neither."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.recording import drift
from runtime.recording.drift import Drift, schema_drift, text_ratio


def meaning_drift(recorded: dict[str, Any], now: dict[str, Any], alike: float = 0.5) -> list[Drift]:
    return drift.meaning_drift(recorded, now, alike=alike)


def chat(content: str | None = "It rains in Rome today", finish: str = "stop", **message: Any) -> dict[str, Any]:
    value = {
        "id": "chatcmpl-1",
        "created": 1,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content, **message},
                     "finish_reason": finish}],
        "usage": {"total_tokens": 3},
    }  # fmt: skip
    return {"status": 200, "headers": {}, "json": value}


def stream(*texts: str, **more: Any) -> dict[str, Any]:
    chunks = [
        {"id": "c", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]} for text in texts
    ]
    chunks[-1]["choices"][0]["finish_reason"] = "stop"  # type: ignore[index]
    return {"status": 200, "events": [{"data": chunk | more} for chunk in chunks] + [{"data": "[DONE]"}]}


def called(name: str = "weather", arguments: str = '{"city": "Rome"}') -> dict[str, Any]:
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}
    return chat(None, "tool_calls", tool_calls=[call])


def changed(answer: dict[str, Any], **members: Any) -> dict[str, Any]:
    return answer | {"json": {name: value for name, value in (answer["json"] | members).items() if value is not ...}}


def refused(status: int, code: str | None = None, message: str = "no") -> dict[str, Any]:
    return {"status": status, "json": {"error": {"message": message, "type": "t", "code": code}}}


@pytest.mark.parametrize(
    ("recorded", "now"),
    [
        (chat(), chat()),
        (chat(), changed(chat(), id="chatcmpl-2", created=99, usage={"total_tokens": 70000})),
        (chat(), chat("It is raining in Rome today")),
        (called(), called(arguments='{"city":"Rome"}')),
        (stream("It ", "rains"), stream("It", " ", "rains")),
        (chat("at 2026-11-28T09:00:00Z"), chat("at 2025-01-01T01:01:01Z")),
        (refused(404, "model_not_found"), refused(404, "model_not_found", "in other words")),
        (chat(logprobs=None), chat(logprobs={"content": []})),
        ({"status": 200, "json": {"data": []}}, {"status": 200, "json": {"data": [{"id": "m"}]}}),
        ({"nothing": True}, {"nothing": True}),
    ],
)
def test_what_differs_each_time_is_no_drift(recorded: dict[str, Any], now: dict[str, Any]) -> None:
    assert (schema_drift(recorded, now), meaning_drift(recorded, now)) == ([], [])


@pytest.mark.parametrize(
    ("recorded", "now", "told"),
    [
        (chat(), changed(chat(), usage=...), [("usage", "object", "(absent)")]),
        (chat(), changed(chat(), warnings=["w"]), [("warnings", "(absent)", "list")]),
        (chat(), changed(chat(), id=7), [("id", "text", "number")]),
        (chat(), chat(refusal=None), [("choices[].message.refusal", "(absent)", "null")]),
        (chat(), changed(chat(), usage={"total_tokens": 3, "cost": 0.1}), [("usage.cost", "(absent)", "number")]),
        (stream("a"), stream("a", system_fingerprint="x"), [("events[].system_fingerprint", "(absent)", "text")]),
        (stream("a"), chat("a"), [("body", "a stream", "JSON")]),
        (chat(), {"status": 200, "text": "It rains in Rome today"}, [("body", "JSON", "text")]),
        (
            {"events": [{"event": "response.completed", "data": {"a": 1}}]},
            {"events": [{"event": "response.completed", "data": {"a": 1, "b": {"c": 2}}}]},
            [("events[response.completed].b", "(absent)", "object")],
        ),
    ],
)
def test_members_that_come_go_or_change_their_type(
    recorded: dict[str, Any], now: dict[str, Any], told: list[tuple[str, str, str]]
) -> None:
    assert [tuple(one) for one in schema_drift(recorded, now)] == told


def test_the_members_of_all_items_of_a_list_count_together() -> None:
    items = [{"id": "a", "dimension": 3}, {"id": "b"}]
    recorded, now = ({"status": 200, "json": {"data": data}} for data in (items, items[::-1]))
    assert schema_drift(recorded, now) == []


@pytest.mark.parametrize(
    ("recorded", "now", "told"),
    [
        (chat(), refused(404, "model_not_found"), [("status", "200"), ("answer", "an answer")]),
        (refused(400, "a"), refused(400, "b"), [("error", "a refusal (a)")]),
        (refused(429), refused(404), [("status", "429")]),
        (chat(), chat(finish="length"), [("choices[0].finish_reason", "stop")]),
        (chat("Paris"), chat("I cannot answer that"), [("choices[0].text", '"Paris"')]),
        (called(), called("forecast"), [("choices[0].tool_calls", "weather")]),
        (called(), called(arguments='{"city": "Oslo"}'), [("choices[0].tool_calls[0].arguments.city", "'Rome'")]),
        (called(), chat(), [("choices[0].finish_reason", "tool_calls"), ("choices[0].tool_calls", "weather")]),
        (chat(refusal="I will not"), chat(), [("choices[0].refusal", '"I will not"')]),
        (stream("Paris"), stream("An", "other"), [("choices[0].text", '"Paris"')]),
        ({"reply": chat()["json"]}, {"error": {"kind": "RequestError"}}, [("answer", "an answer")]),
        (
            {"model": {"results": [{"flagged": True, "score": 0.9}]}},
            {"model": {"results": [{"flagged": False, "score": 0.1}]}},
            [("results[0].flagged", "true")],
        ),
        (
            {"status": 200, "json": {"data": [{"id": "old"}, {"id": "m"}]}},
            {"status": 200, "json": {"data": [{"id": "m"}, {"id": "new"}]}},
            [("data[].id", '"old"')],
        ),
    ],
)  # fmt: skip
def test_what_an_answer_says_differently(
    recorded: dict[str, Any], now: dict[str, Any], told: list[tuple[str, str]]
) -> None:
    assert [tuple(one)[:2] for one in meaning_drift(recorded, now)] == told


def test_a_call_in_place_of_a_text_is_a_drift_of_meaning_alone() -> None:
    assert schema_drift(called(), chat()) == [] == schema_drift(chat(), called())
    assert schema_drift(chat(), refused(404)) == []


def test_vectors_drift_by_where_they_point() -> None:
    def vector(*numbers: float) -> dict[str, Any]:
        return {"status": 200, "json": {"data": [{"embedding": list(numbers)}]}}

    recorded = [0.1 * place for place in range(20)]
    assert meaning_drift(vector(*recorded), vector(*(number + 1e-4 for number in recorded))) == []
    assert schema_drift(vector(*recorded), vector(*recorded[:19])) == []
    [longer] = meaning_drift(vector(*recorded), vector(*recorded, 1.0))
    [away] = meaning_drift(vector(*recorded), vector(*recorded[::-1]))
    assert (longer.now, away.path) == ("21 numbers", "vectors[0]") and "cosine 0." in away.now


def test_how_alike_texts_have_to_be_is_said_by_whoever_asks() -> None:
    one, other = chat("The capital of France is Paris"), chat("Paris is the capital")
    assert meaning_drift(one, other, alike=0.2) == [] != meaning_drift(one, other, alike=0.9)


def test_long_texts_are_compared_in_reasonable_time() -> None:
    one, other = "word " * 50_000, "other " * 50_000
    assert text_ratio(one, one) == 1.0 and text_ratio(one, other) == 0.0


def test_a_call_without_a_name_is_none_the_less_one() -> None:
    answers = [
        {"json": {"choices": [{"message": {"content": "", "tool_calls": calls}}]}} for calls in ([], [{"function": {}}])
    ]
    assert [one.path for one in meaning_drift(*answers, alike=0.5)] == ["choices[0].tool_calls"]
