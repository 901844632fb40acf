"""What our engine's provider makes of formats, tools and the older functions of a request, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from runtime.apis.inference.protocol import ChatCompletionRequest
from runtime.conformance.asgi import Answered, Client
from runtime.conformance.stacks import run_config, serving
from runtime.errors import StackError
from runtime.providers.inference.meta_reference.formats import text_form
from runtime.providers.inference.meta_reference.older_functions import (
    as_tool_choice,
    as_tools,
    has_older_form,
    with_newer_messages,
)
from runtime.providers.inference.meta_reference.tool_use import tool_use
from tests.support.tiny_model import write_tiny_chat_model


def function(name: str = "f", **facts: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **facts}}


def allowed(*tools: Any) -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": list(tools)}}


# Formats


@pytest.mark.parametrize(
    ("response_format", "extra", "rules"),
    [
        ({"type": "json_object"}, {}, 'text: %json {"type": "object"'),
        ({"type": "json_object", "schema": {"type": "integer"}}, {}, '"integer"'),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, {}, "text: %json {"),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": {"const": 3}}}, {}, '"const": 3'),
        ({"type": "regex", "pattern": "a+"}, {}, "PATTERN: /a+/"),
        ({"type": "text"}, {"guided_json": '{"const": 4}'}, '"const": 4'),
        (None, {"guided_json": {"const": 4}}, '"const": 4'),
        (None, {"guided_regex": "a/b"}, r"PATTERN: /a\/b/"),
        (None, {"guided_choice": ["a", "b"]}, 'CHOICE: "a" | "b"'),
        (None, {"guided_json_object": True, "guided_json": None}, '"object"'),
        (None, {"structured_outputs": {"choice": ["a"], "json": None}}, 'CHOICE: "a"'),
    ],
)
def test_forms_of_answers(response_format: Any, extra: dict[str, Any], rules: str) -> None:
    form = text_form(response_format, extra)
    assert form is not None and rules in form.rules


def test_a_grammar_of_the_request_is_taken_as_it_is() -> None:
    form = text_form({"type": "grammar", "grammar": 'start: "a"'}, {})
    assert form is not None and (form.grammar, form.param) == ('start: "a"', "response_format.grammar")
    assert text_form(None, {"guided_grammar": 'start: "b"'}) is not None


@pytest.mark.parametrize("response_format", [None, {"type": "text"}])
def test_any_text_has_no_form(response_format: Any) -> None:
    assert text_form(response_format, {"top_k": 3, "structured_outputs": {}, "guided_json_object": False}) is None


@pytest.mark.parametrize(
    ("response_format", "extra", "status", "param"),
    [
        ({"type": "xml"}, {}, 501, "response_format.type"),
        ("json", {}, 400, "response_format"),
        (
            {"type": "json_schema", "json_schema": {"schema": {"not": {}}}},
            {},
            400,
            "response_format.json_schema.schema",
        ),
        ({"type": "regex", "pattern": 3}, {}, 400, "response_format.pattern"),
        (None, {"guided_json": "{"}, 400, "guided_json"),
        (None, {"guided_regex": "a" * 10_000}, 400, "guided_regex"),
        (None, {"guided_choice": []}, 400, "guided_choice"),
        (None, {"guided_choice": "ab"}, 400, "guided_choice"),
        (None, {"guided_choice": ["a"] * 20_000}, 400, "guided_choice"),
        (None, {"guided_grammar": ""}, 400, "guided_grammar"),
        (None, {"structured_outputs": 3}, 400, "structured_outputs"),
        (None, {"structured_outputs": {"structural_tag": "x"}}, 501, "structured_outputs"),
        (None, {"guided_regex": "a", "guided_choice": ["a"]}, 400, "guided_choice"),
        ({"type": "json_object"}, {"guided_choice": ["a"]}, 400, "guided_choice"),
    ],
)
def test_forms_that_are_refused(response_format: Any, extra: dict[str, Any], status: int, param: str) -> None:
    with pytest.raises(StackError) as refused:
        text_form(response_format, extra)
    assert (refused.value.status, refused.value.param) == (status, param)


# Tools


@pytest.mark.parametrize(
    ("choice", "parallel", "callable", "required", "several"),
    [
        (None, None, {"f", "g"}, False, True),
        ("auto", False, {"f", "g"}, False, False),
        ("required", None, {"f", "g"}, True, True),
        ("none", None, set(), False, True),
        (function("g"), True, {"g"}, True, False),
        ({"type": "function", "name": "g"}, None, {"g"}, True, False),  # as in the Responses API
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [function("g")]}},
            None,
            {"g"},
            True,
            True,
        ),
    ],
)
def test_which_functions_may_or_must_be_called(
    choice: Any, parallel: bool | None, callable: set[str], required: bool, several: bool
) -> None:
    use = tool_use([function("f"), function("g")], choice, parallel)
    assert (use.callable, use.required, use.several) == (callable, required, several)
    assert bool(use.tools) == bool(callable)
    assert {one.name for one in use.functions()[0]} == callable


@pytest.mark.parametrize(
    ("tools", "choice", "status", "param"),
    [
        ([{"type": "custom", "custom": {"name": "f"}}], None, 501, "tools[0].type"),
        ([function("f"), {"type": "web_search"}], None, 501, "tools[1].type"),
        ([{"type": "function"}], None, 400, "tools[0].function"),
        ([function("a b")], None, 400, "tools[0].function.name"),
        ([function("f"), function("f")], None, 400, "tools[1].function.name"),
        ([function(f"f{at}") for at in range(200)], None, 400, "tools"),
        ([function("f")], "always", 400, "tool_choice"),
        ([function("f")], function("g"), 400, "tool_choice"),
        ([function("f")], {"type": "custom"}, 400, "tool_choice"),
        ([function("f")], allowed(), 400, "tool_choice.allowed_tools.tools"),
        ([function("f")], allowed(function("f"), "auto"), 400, "tool_choice.allowed_tools.tools[1]"),
        ([function("f")], allowed(function("g")), 400, "tool_choice"),
        ([], "required", 400, "tool_choice"),
        (None, function("f"), 400, "tool_choice"),
    ],
)
def test_tools_that_are_refused(tools: Any, choice: Any, status: int, param: str) -> None:
    with pytest.raises(StackError) as refused:
        tool_use(tools, choice, None)
    assert (refused.value.status, refused.value.param) == (status, param)


def test_parameters_are_an_object_and_are_enforced_as_a_whole_only_where_they_are_strict() -> None:
    unique = {"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}}
    (free,), warnings = tool_use([function("f", parameters=unique)], None, None).functions()
    assert warnings == ["not enforced in the arguments of `f`: `uniqueItems` cannot be enforced"]
    with pytest.raises(StackError) as refused:
        tool_use([function("f", parameters=unique, strict=True)], None, None).functions()
    assert refused.value.param == "tools[0].function.parameters.properties.a"
    with pytest.raises(StackError) as refused:
        tool_use([function("f", parameters={"type": "string"})], None, None).functions()
    assert refused.value.param == "tools[0].function.parameters.type"
    (nothing,), _ = tool_use([function("f")], None, None).functions()
    assert nothing.parameters["additionalProperties"] is False and free.parameters["type"] == "object"


# The older form


def request(**fields: Any) -> ChatCompletionRequest:
    return ChatCompletionRequest.model_validate(
        {"model": "m", "messages": [{"role": "user", "content": "a"}], **fields}
    )


def test_functions_are_the_older_form_of_tools() -> None:
    assert has_older_form(request(functions=[{"name": "f"}])) and not has_older_form(request())
    assert as_tools([{"name": "f", "parameters": {}}]) == [function("f", parameters={})]
    assert (as_tool_choice("auto"), as_tool_choice({"name": "f"})) == ("auto", function("f"))
    call = {"name": "f", "arguments": "{}"}
    newer = with_newer_messages(
        [
            {"role": "assistant", "content": None, "function_call": call},
            {"role": "function", "name": "f", "content": "x"},
        ]
    )
    assert newer[0]["tool_calls"][0]["function"] == call and "function_call" not in newer[0]
    assert (newer[1]["role"], newer[1]["tool_call_id"]) == ("tool", newer[0]["tool_calls"][0]["id"])


def test_both_forms_at_once_are_refused() -> None:
    with pytest.raises(StackError) as refused:
        has_older_form(request(functions=[{"name": "f"}], tools=[function("f")]))
    assert refused.value.param == "functions"


# With a model


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    folder = tmp_path_factory.mktemp("tiny")
    model = write_tiny_chat_model(folder / "Tiny", context_length=4096)
    config = {"model": str(model), "device": "cpu", "dtype": "float32", "threads": 1}
    provider = {"provider_id": "llama", "provider_type": "inline::meta-reference", "config": config}
    async with serving(run_config(provider), folder) as served:
        yield served.client


with_model = pytest.mark.asyncio(loop_scope="module")
PARAMETERS = {"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"]}


async def chat(client: Client, **fields: Any) -> Answered:
    messages = [{"role": "user", "content": "hello"}]
    body = {"model": "llama/Tiny", "messages": messages, "temperature": 0, "max_tokens": 200, **fields}
    return await client.post("/v1/chat/completions", body)


@with_model
async def test_older_functions_are_answered_in_the_older_form(client: Client) -> None:
    fields: dict[str, Any] = {
        "functions": [{"name": "f", "parameters": PARAMETERS}],
        "function_call": {"name": "f"},
    }
    (choice,) = (await chat(client, **fields)).json()["choices"]
    called = choice["message"]["function_call"]
    assert called["name"] == "f" and json.loads(called["arguments"])["a"] in (1, 2)
    assert choice["finish_reason"] == "function_call" and "tool_calls" not in choice["message"]
    events = (await chat(client, stream=True, **fields)).events()
    deltas = [
        one["delta"]["function_call"] for event in events for one in event["choices"] if "function_call" in one["delta"]
    ]
    assert deltas[0] == {"name": "f", "arguments": ""}
    assert "".join(delta["arguments"] for delta in deltas) == called["arguments"]


@with_model
async def test_one_call_is_enough_where_several_are_not_wanted(client: Client) -> None:
    tools = [function("f", parameters=PARAMETERS), function("g")]
    answer = await chat(client, tools=tools, tool_choice="required", parallel_tool_calls=False, n=8, temperature=1)
    for choice in answer.json()["choices"]:
        assert len(choice["message"]["tool_calls"]) == 1


@with_model
async def test_a_completion_keeps_to_a_form_too(client: Client) -> None:
    body = {"model": "llama/Tiny", "prompt": "x", "max_tokens": 9, "guided_choice": ["yes", "no"], "n": 3}
    answer = await client.post("/v1/completions", body)
    assert {choice["text"] for choice in answer.json()["choices"]} <= {"yes", "no"}
    body = {"model": "llama/Tiny", "prompt": "x", "response_format": {"type": "regex", "pattern": "[ab]{3}"}}
    answer = await client.post("/v1/completions", body)
    assert set(answer.json()["choices"][0]["text"]) <= {"a", "b"} and "x-llama-warnings" not in answer.headers


@with_model
async def test_a_stop_string_and_a_limit_cut_an_answer_of_a_form(client: Client) -> None:
    regex = "[ab]{40}END"
    (choice,) = (await chat(client, guided_regex=regex, stop="E")).json()["choices"]
    assert len(choice["message"]["content"]) == 40 and choice["finish_reason"] == "stop"
    (choice,) = (await chat(client, guided_regex=regex, max_tokens=7)).json()["choices"]
    assert len(choice["message"]["content"]) == 7 and choice["finish_reason"] == "length"


@with_model
async def test_a_call_that_a_stop_string_cuts_off_is_not_said_to_be_whole(client: Client) -> None:
    parameters = {"type": "object", "properties": {"a": {"const": "one two"}}, "required": ["a"]}
    fields = {"tools": [function("f", parameters=parameters)], "tool_choice": "required"}
    (whole,) = (await chat(client, **fields)).json()["choices"]
    assert whole["finish_reason"] == "tool_calls"
    (cut,) = (await chat(client, stop=" two", **fields)).json()["choices"]
    assert cut["finish_reason"] == "stop"
    assert cut["message"]["tool_calls"][0]["function"]["arguments"].endswith('"one')
    events = (await chat(client, stop=" two", stream=True, **fields)).events()
    assert events[-1]["choices"][0]["finish_reason"] == "stop"


@with_model
@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"guided_regex": "("}, 400, "guided_regex"),
        ({"guided_grammar": "start: nowhere"}, 400, "guided_grammar"),
        ({"guided_choice": ["a"], "ignore_eos": True}, 400, "ignore_eos"),
        ({"max_completion_tokens": 0}, 400, "max_completion_tokens"),
        ({"modalities": ["text", "audio"]}, 501, "modalities"),
        ({"audio": {"voice": "a", "format": "wav"}}, 501, "audio"),
        ({"web_search_options": {}}, 501, "web_search_options"),
        ({"chat_template_kwargs": 3}, 400, "chat_template_kwargs"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            400,
            "messages[0].content[0]",
        ),
    ],
)
async def test_what_is_refused_is_named(client: Client, fields: dict[str, Any], status: int, param: str) -> None:
    for stream in (False, True):
        answer = await chat(client, stream=stream, **fields)
        assert (answer.status, answer.error["param"]) == (status, param), answer.body


@with_model
async def test_a_grammar_that_becomes_too_complex_is_a_400_or_ends_a_stream(client: Client) -> None:
    fields = {"guided_regex": "(((a|b){1,1000}){1,1000}){1000}c"}
    answer = await chat(client, **fields)
    assert (answer.status, answer.error["code"]) == (400, "grammar_too_complex")
    payloads = (await chat(client, stream=True, **fields)).payloads()
    assert "grammar_too_complex" in payloads[-1]


@with_model
@pytest.mark.parametrize(
    ("fields", "warning"),
    [
        ({"verbosity": "low"}, "ignored by this provider: verbosity"),
        ({"reasoning_effort": "high"}, "ignored by this provider: reasoning_effort"),
        (
            {"verbosity": "low", "reasoning_effort": "high", "other": 1},
            "ignored by this provider: verbosity, other, reasoning_effort",
        ),
        ({"chat_template_kwargs": {"style": 1}}, "not used by this model's template: style"),
        ({"reasoning_effort": "none", "verbosity": "medium", "modalities": ["text"], "service_tier": "auto"}, None),
        ({"prediction": {"type": "content", "content": "a"}, "store": True, "prompt_cache_key": "k"}, None),
        ({"parallel_tool_calls": False, "tool_choice": "auto"}, None),
        ({"tools": [function()]}, "this model's template knows no tools: they are described to the model in words"),
        ({"tools": [function()], "tool_choice": "none"}, None),
    ],
)
async def test_what_changes_an_answer_and_cannot_be_done_is_said(
    client: Client, fields: dict[str, Any], warning: str | None
) -> None:
    answer = await chat(client, max_tokens=3, **fields)
    assert answer.status == 200, answer.body
    assert answer.headers.get("x-llama-warnings") == warning
