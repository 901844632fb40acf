"""Responses asked for by a form, as the specification allows: the same as by JSON."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from runtime.conformance.asgi import Answered
from runtime.conformance.upstream.scripted import says
from runtime.sse import encode
from tests.conformance.responses.asking import MODEL, WEATHER, Asking
from tests.support.response_streams import events_of, without_ids

pytestmark = pytest.mark.asyncio(loop_scope="module")
Json = dict[str, Any]
FORM = "application/x-www-form-urlencoded"
ASKED: Json = {
    "model": MODEL,
    "input": [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": [{"type": "input_text", "text": "Hi & hello = 5 + 1"}]},
    ],
    "temperature": 0.5,
    "max_output_tokens": 20,
    "tools": [WEATHER],
    "tool_choice": "auto",
    "text": {"format": {"type": "text"}, "verbosity": "low"},
    "metadata": {"a": "1"},
    "include": ["message.output_text.logprobs"],
    "store": False,
}


def as_json(asked: Json) -> list[tuple[str, str]]:
    """Objects and what lists hold are JSON."""
    pairs = []
    for name, value in asked.items():
        many = value if isinstance(value, list) else [value]
        pairs += [(name, one if isinstance(one, str) else encode(one).decode()) for one in many]
    return pairs


def in_brackets(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Every name of every object and every place in every list is a part of the field's name."""
    if isinstance(value, dict):
        inner = [(f"{name}[{key}]" if name else key, one) for key, one in value.items()]
    elif isinstance(value, list):
        inner = [(f"{name}[{place}]", one) for place, one in enumerate(value)]
    else:
        return [(name, value if isinstance(value, str) else encode(value).decode())]
    return [pair for key, one in inner for pair in in_brackets(one, key)]


async def sent(asking: Asking, pairs: list[tuple[str, str]], path: str = "/v1/responses") -> Answered:
    return await asking.client.request("POST", path, body=urlencode(pairs).encode(), headers={"content-type": FORM})


@pytest.mark.parametrize("written", [as_json, in_brackets])
async def test_a_form_says_what_json_says(asking: Asking, written: Any) -> None:
    asked = ASKED
    script = asking.says(says("Hi"), says("Hi"))
    by_json = await asking.whole(**asked)
    answered = await sent(asking, written(asked))
    assert answered.status == 200, answered.body
    assert without_ids(answered.json()) == without_ids(by_json)
    assert script.asked[0] == script.asked[1]


async def test_a_text_stays_one_whatever_it_looks_like(asking: Asking) -> None:
    for text in ("[1, 2]", '{"role": "user"}', "5", "true", "ü %26 +"):
        script = asking.says(says("ok"))
        assert (await sent(asking, [("model", MODEL), ("input", text)])).status == 200
        assert script.asked[0]["messages"] == [{"role": "user", "content": text}]


async def test_it_is_streamed_kept_and_made_in_the_background(asking: Asking) -> None:
    answered = await sent(asking, [("model", MODEL), ("input", "Hi"), ("stream", "true")])
    response = events_of(answered.body)[-1]["response"]
    assert (await asking.kept(response["id"]))["output"] == response["output"]
    fields = [("model", MODEL), ("input", "Hi"), ("background", "true"), ("stream", "true")]
    assert events_of((await sent(asking, fields)).body)[-1]["type"] == "response.completed"


async def test_what_is_counted_and_compacted_may_be_a_form_too(asking: Asking) -> None:
    counted = await sent(asking, [("model", MODEL), ("input", "Hi")], "/v1/responses/input_tokens")
    assert counted.status == 200 and counted.json()["input_tokens"] > 0
    asking.says(says("A greeting"))
    compacted = await sent(asking, [("model", MODEL), ("input", "Hi")], "/v1/responses/compact")
    assert compacted.status == 200 and compacted.json()["object"] == "response.compaction"


@pytest.mark.parametrize(
    ("pairs", "param"),
    [
        ([("model", MODEL), ("input[0][role]", "robot"), ("input[0][content]", "x")], "input[0].role"),
        ([("model", MODEL), ("input", "a"), ("input", "b")], "input[0]"),
        ([("model", MODEL), ("input", "Hi"), ("temperature", "hot")], "temperature"),
        ([("input", "Hi")], "model"),
        ([("model", MODEL), ("input[][role]", "user")], "input"),
    ],
)
async def test_what_is_wrong_in_a_form_is_named(asking: Asking, pairs: list[tuple[str, str]], param: str) -> None:
    answered = await sent(asking, pairs)
    assert (answered.status, answered.error["param"]) == (400, param), answered.body
