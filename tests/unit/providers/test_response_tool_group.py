"""What a model is told of whatever a tool of a group gives back, and what the item keeps of it."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.apis.inference.calls import Call
from runtime.apis.tool_runtime.protocol import ContentPart, InvokeToolRequest, ToolInvocationResult
from runtime.errors import RequestError, StackError, Unavailable
from runtime.providers.responses.builtin.credentials import with_credentials, without_credentials
from runtime.providers.responses.builtin.outcomes import MOST_CHARACTERS
from runtime.providers.responses.builtin.tools.tool_group import Group, GroupFunction
from tests.support.response_parts import beginning


class _Tools:
    """Gives this back, or raises it."""

    def __init__(self, gives: ToolInvocationResult | StackError) -> None:
        self._gives = gives

    async def invoke_tool(self, request: InvokeToolRequest) -> ToolInvocationResult:
        if isinstance(self._gives, StackError):
            raise self._gives
        return self._gives


async def called(gives: ToolInvocationResult | StackError) -> tuple[dict[str, Any], str]:
    """The item of a call, and what the model is told."""
    answering = beginning()
    runtime: Any = _Tools(gives)
    call = Call(given="c", name="find", index=None, id="c", parts=["{}"])
    function = GroupFunction(Group(runtime=runtime, id="llamas"), "find")
    *_, told = [words async for words in function.run(call, answering)]
    [item] = answering.output
    return item, told


IMAGE = ContentPart(type="image", image={"data": "aGk="})
FAR = ContentPart(type="image", image={"url": {"uri": "https://llamas.example/a.png"}})


@pytest.mark.parametrize(
    ("gives", "told"),
    [
        (ToolInvocationResult(content="grass"), "grass"),
        (ToolInvocationResult(content=""), ""),
        (ToolInvocationResult(content=[ContentPart(type="text", text="a"), IMAGE]), "a\n[image, not shown]"),
        (ToolInvocationResult(content=[FAR]), "[image <https://llamas.example/a.png>, not shown]"),
        (ToolInvocationResult(metadata={"found": 3}), '{"found":3}'),
    ],
)
async def test_what_a_tool_gives_back_is_told_in_words(gives: ToolInvocationResult, told: str) -> None:
    item, said = await called(gives)
    assert (said, item["output"], item["error"], item["status"]) == (told, told, None, "completed")
    assert item["metadata"] == gives.metadata


@pytest.mark.parametrize(
    ("gives", "error"),
    [
        (ToolInvocationResult(error_message="no grass"), "no grass"),
        (ToolInvocationResult(error_code=7), "it gives no reason, but the code 7"),
        (ToolInvocationResult(content="no\ngrass", error_message="no grass"), "no grass"),
        (ToolInvocationResult(content="line 1\nE: b", error_message="E: b"), "line 1\nE: b"),
        (ToolInvocationResult(content="line 1", error_message="E: b"), "E: b\nline 1"),
        (RequestError("`query` is missing", hint="give it"), "`query` is missing\nhint: give it"),
    ],
)
async def test_a_failure_is_told_with_what_came_before_it(gives: ToolInvocationResult | StackError, error: str) -> None:
    item, said = await called(gives)
    assert (item["status"], item["error"], item["output"]) == ("failed", error, None)
    assert said == f"The call failed: {error}"


async def test_what_is_large_is_bounded() -> None:
    item, said = await called(ToolInvocationResult(content="a" * 900_000, metadata={"all": "b" * MOST_CHARACTERS}))
    assert said == item["output"] and "cut here" in said and len(said) < MOST_CHARACTERS + 1000
    assert item["metadata"] is None


def test_what_may_be_a_key_of_a_tool_is_given_back_where_it_is_known_and_missed_where_not() -> None:
    plain = {"type": "tool_group", "tool_group": "mine", "args": {"limit": 1}}
    request = {"tools": [plain, {**plain, "args": {"limit": 1, "api_key": "sk-1"}}], "model": "m"}
    payload, secrets = without_credentials(request)
    assert "sk-1" not in str(payload) and payload["tools"][0] == plain
    assert with_credentials(payload, secrets) == request
    with pytest.raises(Unavailable, match=r"The credentials for `tools\[1\]` are gone"):
        with_credentials(payload, {})
    assert without_credentials({"tools": [plain]}) == ({"tools": [plain]}, {})
