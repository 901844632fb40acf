"""`custom`: tools of the caller's that are called with text, at vendors that have them and at those that do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.apis.inference.abilities import Abilities
from runtime.conformance.stacks import adapter_of, run_config, serving
from runtime.conformance.upstream import Upstream
from runtime.conformance.upstream.scripted import Said, calls, says
from runtime.providers.inference._openai_compatible.adapter import OpenAICompatibleInference
from tests.conformance.responses.asking import MODEL, WEATHER, Asking, kinds
from tests.support.stacks import openai_at

pytestmark = pytest.mark.asyncio(loop_scope="module")
RUN = {"type": "custom", "name": "run", "description": "Runs Python."}
DIGITS = {**RUN, "format": {"type": "grammar", "syntax": "regex", "definition": "[0-9]+"}}
LARK = {**RUN, "format": {"type": "grammar", "syntax": "lark", "definition": 'start: "a"+'}}
AS_FUNCTION = calls(("call_1", "run", '{"input": "print(\\"hi\\")\\n"}'))
TEXT = 'print("hi")\n'


def native(*pieces: str) -> Said:
    begun = {"index": 0, "id": "call_1", "type": "custom", "custom": {"name": "run", "input": ""}}
    more = [{"tool_calls": [{"index": 0, "custom": {"input": piece}}]} for piece in pieces]
    whole = {"id": "call_1", "type": "custom", "custom": {"name": "run", "input": "".join(pieces)}}
    return Said(
        deltas=[{"role": "assistant", "content": None}, {"tool_calls": [begun]}, *more],
        whole={"role": "assistant", "content": None, "tool_calls": [whole]},
        finish="tool_calls",
    )


@pytest.fixture
def can(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_abilities(**abilities: bool) -> None:
        async def get_abilities(self: Any, request: Any) -> Abilities:
            assert request.model == MODEL.partition("/")[2]
            return Abilities(**abilities)

        monkeypatch.setattr(OpenAICompatibleInference, "get_abilities", get_abilities)

    return set_abilities


def check(events: list[Any], response: Any) -> None:
    [call] = response["output"]
    assert {**call, "id": ""} == {
        "type": "custom_tool_call", "id": "", "call_id": "call_1", "name": "run", "input": TEXT, "status": "completed",
    }  # fmt: skip
    assert kinds(events)[2:6] == [
        "output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done", "output_item.done",
    ]  # fmt: skip


async def test_it_is_a_function_with_one_argument_where_there_are_no_others(asking: Asking) -> None:
    check(*await asking.both(AS_FUNCTION, tools=[RUN]))
    script = asking.says(AS_FUNCTION)
    await asking.whole(tools=[RUN, WEATHER], tool_choice={"type": "custom", "name": "run"})
    [asked] = script.asked
    function = asked["tools"][0]["function"]
    assert (function["name"], function["description"]) == ("run", "Runs Python.") and "strict" not in function
    assert function["parameters"]["required"] == ["input"]
    assert asked["tool_choice"] == {"type": "function", "function": {"name": "run"}}


async def test_it_is_told_as_it_is_where_the_provider_has_custom_tools(asking: Asking, can: Any) -> None:
    can(custom_tools=True)
    check(*await asking.both(native('print("', 'hi")\n'), tools=[RUN]))
    script = asking.says(native(TEXT))
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "custom", "name": "run"}]}
    await asking.whole(tools=[LARK], tool_choice=choice)
    [asked] = script.asked
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": 'start: "a"+'}}
    assert asked["tools"] == [
        {"type": "custom", "custom": {"name": "run", "description": "Runs Python.", "format": grammar}}
    ]
    assert asked["tool_choice"]["allowed_tools"]["tools"] == [{"type": "custom", "custom": {"name": "run"}}]


@pytest.mark.parametrize("has_custom", [False, True])
@pytest.mark.parametrize("by", ["previous_response_id", "items"])
async def test_what_it_gave_back_goes_on(asking: Asking, can: Any, has_custom: bool, by: str) -> None:
    can(custom_tools=has_custom)
    script = asking.says(native(TEXT) if has_custom else AS_FUNCTION, says("It said hi."))
    first = await asking.whole(tools=[RUN])
    output = {"type": "custom_tool_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "hi"}]}
    if by == "items":
        items = [{"role": "user", "content": "Hi"}, *first["output"], output]
        response = await asking.whole(items, tools=[RUN])
    else:
        response = await asking.whole([output], tools=[RUN], previous_response_id=first["id"])
    assert response["output"][0]["content"][0]["text"] == "It said hi."
    said, answer = script.asked[1]["messages"][-2:]
    [call] = said["tool_calls"]
    if has_custom:
        assert call == {"id": "call_1", "type": "custom", "custom": {"name": "run", "input": TEXT}}
    else:
        assert call["function"]["arguments"] == '{"input":"print(\\"hi\\")\\n"}'
    assert answer == {"role": "tool", "tool_call_id": "call_1", "content": "hi"}


async def test_a_regular_expression_is_a_pattern_where_schemas_are_held_to(asking: Asking, can: Any) -> None:
    can(strict_functions=True)
    script = asking.says(calls(("call_1", "run", '{"input": "42"}')))
    response = await asking.whole(tools=[DIGITS])
    assert response["output"][0]["input"] == "42"
    function = script.asked[0]["tools"][0]["function"]
    assert function["strict"] is True and function["parameters"]["properties"]["input"]["pattern"] == "^(?:[0-9]+)$"
    refused = await asking.refused({"input": "Hi", "tools": [LARK]})
    assert refused["status"] == 501 and "`lark`" in refused["message"]


@pytest.mark.parametrize("tool", [DIGITS, LARK])
async def test_a_grammar_that_cannot_be_held_is_refused_by_name(asking: Asking, tool: Any) -> None:
    refused = await asking.refused({"input": "Hi", "tools": [WEATHER, tool]})
    assert (refused["status"], refused["param"]) == (501, "tools")
    assert "`tools[1].format`" in refused["message"]


@pytest.mark.parametrize(
    ("asked", "param", "words"),
    [
        ({"tools": [{"type": "custom"}]}, "tools[0].name", "is missing"),
        ({"tools": [{**RUN, "format": {"type": "yaml"}}]}, "tools[0].format.type", "`grammar`"),
        ({"tools": [{**RUN, "format": {"type": "grammar", "syntax": "bnf", "definition": "x"}}]},
         "tools[0].format.syntax", "`lark`"),
        ({"tools": [RUN, {**WEATHER, "name": "run"}]}, "tools", "`tools[1]` has the name `run`"),
        ({"tools": [RUN], "tool_choice": {"type": "custom", "name": "walk"}}, "tool_choice", "`walk`"),
        ({"input": [{"type": "custom_tool_call_output", "call_id": "c", "output": "x"}]}, "input", "the call `c`"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_named(asking: Asking, asked: Any, param: str, words: str) -> None:
    refused = await asking.refused({"input": "Hi", **asked})
    assert (refused["status"], refused["param"]) == (400, param) and words in refused["message"], refused


async def test_a_call_that_is_broken_off_says_so(asking: Asking) -> None:
    cut = Said(deltas=AS_FUNCTION.deltas[:-3], finish="length")
    _, response = await asking.both(cut, tools=[RUN])
    [call] = response["output"]
    assert response["status"] == call["status"] == "incomplete" and TEXT.startswith(call["input"])


@pytest.mark.parametrize(("is_vendors", "has_custom"), [(True, True), (False, False)])
async def test_only_the_vendor_itself_is_known_to_have_custom_tools(
    upstream: Upstream, tmp_path: Path, is_vendors: bool, has_custom: bool
) -> None:
    """Another server at an address of the user's may have them or not."""
    vendor = openai_at("https://api.openai.com/v1" if is_vendors else upstream.url)
    vendor["config"]["allowed_models"] = ["m"]
    async with serving(run_config(vendor), tmp_path, settled=False) as served:
        found = await adapter_of(served.stack, "inference").get_abilities(None)
        assert found.custom_tools is found.strict_functions is has_custom
