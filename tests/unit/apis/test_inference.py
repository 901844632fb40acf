"""What a request of the inference API may hold, before any provider has seen it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from runtime.apis.inference.protocol import ChatCompletionRequest, CompletionRequest, EmbeddingsRequest

REQUESTS = [(CompletionRequest, "prompt"), (EmbeddingsRequest, "input")]


@pytest.mark.parametrize(("model", "field"), REQUESTS, ids=["completion", "embeddings"])
@pytest.mark.parametrize("one", ["text", [1, 2]])
def test_one_request_has_so_many_texts(model: Any, field: str, one: Any) -> None:
    assert len(getattr(model(model="m", **{field: [one] * 2048}), field)) == 2048
    with pytest.raises(ValidationError) as caught:
        model(model="m", **{field: [one] * 2049})
    assert {(error["loc"][0], error["msg"]) for error in caught.value.errors()} == {
        (field, "2049 texts, and at most 2048 in one request")
    }


@pytest.mark.parametrize(("model", "field"), REQUESTS, ids=["completion", "embeddings"])
@pytest.mark.parametrize("given", ["", [], [7] * 100_000])
def test_the_length_of_one_text_is_its_model_s_matter(model: Any, field: str, given: Any) -> None:
    assert getattr(model(model="m", **{field: given}), field) == given


TOOLS = [{"type": "function", "function": {"name": "add"}}]


@pytest.mark.parametrize(
    ("allowed", "why"),
    [
        ([], "at least 1 item"),
        ([{"type": "function", "function": {"name": "mul"}}], "`mul` is not among `tools`"),
        ([{"type": "function", "name": "add"}], "names no function"),
        ([{"type": "function", "function": "add"}], "names no function"),
        ([{"type": []}], "names no function"),
        ([{}], "names no function"),
    ],
)
def test_the_tools_that_are_allowed_are_among_those_that_are_given(allowed: list[Any], why: str) -> None:
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": allowed}}
    with pytest.raises(ValidationError) as caught:
        ChatCompletionRequest(
            model="m",
            messages=[{"role": "user", "content": "hi"}],
            tools=TOOLS,
            tool_choice=choice,  # type: ignore[arg-type,list-item]
        )
    error = caught.value.errors()[-1]  # the first may be that it is no text
    assert error["loc"][0] == "tool_choice" and why in error["msg"]


def test_a_kind_of_tool_that_only_a_vendor_knows_may_be_allowed() -> None:
    choice: Any = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "search"}]}}
    messages: Any = [{"role": "user", "content": "hi"}]
    assert ChatCompletionRequest(model="m", messages=messages, tool_choice=choice).tool_choice == choice
