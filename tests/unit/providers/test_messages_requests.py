"""OpenAI's requests as Anthropic's Messages, field by field. https://platform.claude.com/docs/en/api/messages/create"""

from __future__ import annotations

import base64
from typing import Any

import pytest

from runtime.context import RequestContext, serving
from runtime.errors import RequestError
from runtime.providers.inference._messages.models import model_of
from runtime.providers.inference._messages.requests import Asked, asked_of
from runtime.providers.inference._messages.spec import MESSAGES_RULES
from runtime.providers.inference._openai_compatible.outgoing_fields import apply_rules

OPUS, SONNET, OLDER = "claude-opus-5-5", "claude-sonnet-4-6", "claude-haiku-4-5"
HI = {"role": "user", "content": "hi"}
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(16)).decode()
CACHED = {"type": "ephemeral", "ttl": "1h"}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "abc"}
HIDDEN = {"type": "redacted_thinking", "data": "xyz"}


def asked(*messages: dict[str, Any], model: str = SONNET, **fields: Any) -> tuple[Asked, list[str]]:
    context, body = RequestContext(), {"model": model, "messages": [*messages], "max_tokens": 9000, **fields}
    with serving(context):
        apply_rules(MESSAGES_RULES, body, provider_id="claude")
        return asked_of(body, model_of(model, {}), "claude"), [*context.warnings]


def made(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return asked(*messages, **fields)[0].body


def turns(*messages: dict[str, Any], **fields: Any) -> list[Any]:
    return [(turn["role"], turn["content"]) for turn in made(*messages, **fields)["messages"]]


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def call(id: str, arguments: str = "{}", **more: Any) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": "add", "arguments": arguments}, **more}


def kept(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"extra_content": {"anthropic": {"blocks": [*blocks]}}}


def document(source: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "document", "source": source, **more}


def in_base64(kind: str, data: str) -> dict[str, Any]:
    return {"type": "base64", "media_type": kind, "data": data}


URL = "messages[].content[].image_url.url"
PLAIN = {"type": "text", "media_type": "text/plain", "data": "a,b"}


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (text("a", cache_control=CACHED), text("a", cache_control=CACHED)),
        ({"type": "refusal", "refusal": "no"}, text("no")),
        (
            {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{PNG[:20]}\n{PNG[20:]}"}},
            {"type": "image", "source": in_base64("image/png", PNG)},
        ),
        (
            {"type": "image_url", "image_url": "https://example.com/a", "cache_control": CACHED},
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a"}, "cache_control": CACHED},
        ),
        (
            {"type": "file", "file": {"file_data": "JVBERi0=", "filename": "a.pdf"}},
            document(in_base64("application/pdf", "JVBERi0="), title="a.pdf"),
        ),
        ({"type": "file", "file": {"file_data": "data:text/csv;base64,YSxi"}}, document(PLAIN)),
        ({"type": "file", "file": {"file_data": "YSxi", "filename": "a.json"}}, document(PLAIN, title="a.json")),
        (
            {"type": "file", "file": {"file_data": f"data:image/png;base64,{PNG}", "filename": "a.png"}},
            {"type": "image", "source": in_base64("image/png", PNG)},
        ),
        ({"type": "file", "file": {"file_data": "YSxi", "filename": "a.log_"}}, document(PLAIN, title="a.log_")),
        ({"type": "file", "file": {"file_data": "YSxi"}}, document(PLAIN)),
        ({"type": "file", "file": {"file_data": "JVBERi0="}}, document(in_base64("application/pdf", "JVBERi0="))),
        ({"type": "file", "file": {"file_data": "/w=="}}, document(in_base64("application/pdf", "/w=="))),
        ({"type": "file", "file": {"file_id": "file_1"}}, document({"type": "file", "file_id": "file_1"})),
        (
            {"type": "file", "file": {"file_id": "file_1", "filename": "a.webp"}},
            {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        ),
        (
            {"type": "file", "file": {"file_id": "https://example.com/a.pdf"}},
            document({"type": "url", "url": "https://example.com/a.pdf"}),
        ),
        (document(PLAIN, citations={"enabled": True}), document(PLAIN, citations={"enabled": True})),
    ],
)
def test_parts(part: dict[str, Any], block: dict[str, Any]) -> None:
    assert turns({"role": "user", "content": [part]}) == [("user", [block])]


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "video_url", "video_url": 5}, "messages[].content[]"),
        (
            {"type": "image_url", "image_url": {"url": "data:image/bmp;base64,Qk0A"}},
            "messages[].content[].image_url.url",
        ),
        ({"type": "image_url", "image_url": {"url": "data:;base64,AAAA"}}, URL),
        ({"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}, URL),
        ({"type": "image_url", "image_url": {"url": "https://[a"}}, URL),
        ({"type": "file", "file": {}}, "messages[].content[].file"),
        ({"type": "file", "file": {"file_data": "UEs=", "filename": "a.docx"}}, "messages[].content[].file.file_data"),
        ({"type": "file", "file": {"file_data": "data:text/plain;base64,%"}}, "messages[].content[].file.file_data"),
        ({"type": "file", "file": {"file_data": "/w==", "filename": "a.txt"}}, "messages[].content[].file.file_data"),
        ({"type": "file", "file": {"file_data": "IA==", "filename": "a.txt"}}, "messages[].content[].file.file_data"),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, "messages[].content[].input_audio"),
    ],
)
def test_parts_that_are_refused(part: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as raised:
        made({"role": "user", "content": [part]})
    assert raised.value.param == param


def test_roles_take_turns_and_what_systems_say_goes_before() -> None:
    said = [
        {"role": "system", "content": "a"},
        {"role": "developer", "content": [text("b", cache_control=CACHED)]},
        HI,
        {"role": "user", "content": "ho"},
        {"role": "assistant", "content": "x", "name": "ada"},
        {"role": "assistant", "content": None, "refusal": "no "},
    ]
    found, warnings = asked(*said)
    assert found.body["system"] == [text("a"), text("b", cache_control=CACHED)]
    assert found.body["messages"] == [
        {"role": "user", "content": [text("hi"), text("ho")]},
        {"role": "assistant", "content": [text("x"), text("no")]},
    ]
    assert warnings == ["`messages[].name` has no effect: `claude` has no names of speakers"]


@pytest.mark.parametrize(
    ("own", "blocks"), [("b", [text("b")]), (" ", []), (None, []), ([text("b", x=1)], [text("b", x=1)])]
)
def test_what_a_system_says_by_anthropic_s_own_field_goes_first(own: Any, blocks: list[Any]) -> None:
    assert made({"role": "system", "content": "a"}, HI, system=own)["system"] == [*blocks, text("a")]
    assert made(HI, system=own).get("system", []) == blocks
    with pytest.raises(RequestError) as raised:
        made(HI, system=5)
    assert raised.value.param == "system"


@pytest.mark.parametrize("blank", ["", " \n", None, [], [text(" ")]])
def test_blank_text_is_left_out_and_messages_that_say_nothing_are_refused(blank: Any) -> None:
    assert turns({"role": "user", "content": blank}, HI) == [("user", [text("hi")])]
    with pytest.raises(RequestError) as raised:
        made({"role": "user", "content": blank})
    assert raised.value.param == "messages"


def test_a_system_does_not_speak_between_two_turns_of_a_user() -> None:
    late = {"role": "system", "content": "late"}
    assert made(HI, late, model=OPUS)["messages"][1] == {"role": "system", "content": [text("late")]}
    body = made(HI, late, {"role": "assistant", "content": ""}, HI, model=OPUS)
    assert body["system"] == [text("late")] and [turn["role"] for turn in body["messages"]] == ["user"]


def test_what_only_a_system_says_is_the_user_s() -> None:
    assert "system" not in made({"role": "system", "content": "a"})
    assert turns({"role": "system", "content": "a"}) == [("user", [text("a")])]


def test_results_of_tools_are_at_the_beginning_of_one_turn() -> None:
    image_url = {"type": "image_url", "image_url": f"data:image/png;base64,{PNG}"}
    said = [
        {"role": "assistant", "content": "", "tool_calls": [call("a.1", '{"x": 1}'), call("b", "{broken")]},
        HI,
        {"role": "tool", "tool_call_id": "a.1", "content": [text("3"), image_url]},
        {"role": "tool", "tool_call_id": "b", "content": "", "is_error": True, "cache_control": CACHED},
    ]  # fmt: skip
    assistant, user = turns(*said)
    assert assistant[1] == [
        {"type": "tool_use", "id": "a_1", "name": "add", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "add", "input": {"unreadable": "{broken"}},
    ]
    image = {"type": "image", "source": in_base64("image/png", PNG)}
    assert user[1] == [
        {"type": "tool_result", "tool_use_id": "a_1", "content": [text("3"), image]},
        {"type": "tool_result", "tool_use_id": "b", "is_error": True, "cache_control": CACHED},
        text("hi"),
    ]


def test_arguments_with_a_number_beyond_all_range_are_unreadable() -> None:
    assistant, *_ = turns({"role": "assistant", "tool_calls": [call("a", '{"x": 1e999}')]})
    assert assistant[1][0]["input"] == {"unreadable": '{"x": 1e999}'}


def said_again(content: Any, calls: list[dict[str, Any]], **more: Any) -> list[str]:
    """The blocks of an assistant's message, each in a word."""
    message = {"role": "assistant", "content": content, "tool_calls": calls, **more}
    (_, blocks), *_ = turns(message, model=OPUS)
    words = {"thinking": "T", "redacted_thinking": "R", "tool_use": "C", "server_tool_use": "S"}
    return [block.get("text") or words.get(block["type"], block["type"]) for block in blocks]


def test_blocks_that_were_kept_are_where_they_were() -> None:
    mark = {"type": "text", "length": 2}
    search, found = (
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result"},
    )
    assert said_again("ab", [call("1", **kept(THOUGHT))]) == ["T", "ab", "C"]
    assert said_again("ab", [call("1", **kept(mark, THOUGHT, HIDDEN))]) == ["ab", "T", "R", "C"]
    assert said_again("abcd", [call("1", **kept(THOUGHT, mark, HIDDEN, mark))]) == ["T", "ab", "R", "cd", "C"]
    assert said_again("", [call("1", **kept(THOUGHT)), call("2", **kept(HIDDEN))]) == ["T", "C", "R", "C"]
    assert said_again("abcd", [], **kept(THOUGHT, mark, search, found, mark)) == ["T", "ab", "S", found["type"], "cd"]
    assert said_again("ab", [call("1")], **kept(HIDDEN)) == ["ab", "C", "R"]
    search, found = {**search, "type": "mcp_tool_use", "server_name": "x"}, {"type": "mcp_tool_result"}
    assert said_again("ab", [], **kept(search, found, mark)) == ["mcp_tool_use", "mcp_tool_result", "ab"]


def test_text_that_has_changed_is_whole_where_its_first_piece_was() -> None:
    mark = {"type": "text", "length": 2}
    assert said_again("changed", [call("1", **kept(THOUGHT, mark, HIDDEN, mark))]) == ["T", "changed", "R", "C"]
    assert said_again("", [call("1", **kept(THOUGHT, mark))]) == ["T", "C"]
    parts = [text("ab"), text("cd", cache_control=CACHED)]
    assert said_again(parts, [call("1", **kept(THOUGHT, mark, HIDDEN, mark))]) == ["T", "ab", "cd", "R", "C"]


def test_a_cached_text_that_is_cut_is_cached_once() -> None:
    message = {"role": "assistant", "content": [text("abcd", cache_control=CACHED)]}
    mark = {"type": "text", "length": 2}
    [(_, blocks)] = turns({**message, **kept(THOUGHT, mark, HIDDEN, mark)})
    assert [block.get("cache_control") for block in blocks] == [None, None, None, CACHED]


WRONG = [5, {}, {"type": "image"}, {"type": "text", "length": -1}, {"type": ["text"]}]


@pytest.mark.parametrize(
    "extra", [5, {"anthropic": 5}, {"anthropic": {"blocks": 5}}, {"anthropic": {"blocks": WRONG}}, {"google": {}}]
)
def test_what_was_not_kept_here_is_left_out(extra: Any) -> None:
    assert said_again("ab", [call("1", extra_content=extra)]) == ["ab", "C"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"role": "function", "name": "add", "content": "3"}, "messages[0].role"),
        ({"role": "assistant", "tool_calls": [{"type": "custom", "id": "1"}]}, "messages[0].tool_calls[0].type"),
        ({"role": "assistant", "function_call": {"name": "add", "arguments": "{}"}}, "messages[0].function_call"),
        ({"role": "assistant", "audio": {"id": "1"}}, "messages[].audio"),
        (
            {"role": "system", "content": [{"type": "image_url", "image_url": "https://a.test/b"}]},
            "messages[0].content",
        ),
    ],
)
def test_messages_that_are_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as raised:
        made(fields)
    assert raised.value.param == param


ANY = {"type": "json_object"}


def function(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **more}}


def allowed(mode: str, *names: str) -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [function(name) for name in names]}}


@pytest.mark.parametrize(
    ("choice", "more", "sent", "names"),
    [
        (None, {}, None, "fg"),
        ("auto", {"parallel_tool_calls": True}, None, "fg"),
        ("auto", {"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}, "fg"),
        ("none", {"parallel_tool_calls": False}, {"type": "none"}, "fg"),
        ("required", {"parallel_tool_calls": False}, {"type": "any", "disable_parallel_tool_use": True}, "fg"),
        (function("g"), {}, {"type": "tool", "name": "g"}, "fg"),
        (allowed("auto", "g"), {}, None, "g"),
        (allowed("required", "g"), {}, {"type": "any"}, "g"),
        ({"type": "any"}, {}, {"type": "any"}, "fg"),
    ],
)
def test_choices_of_tools(choice: Any, more: dict[str, Any], sent: Any, names: str) -> None:
    body = made(HI, tools=[function("f"), function("g")], tool_choice=choice, **more)
    assert body.get("tool_choice") == sent
    assert "".join(tool["name"] for tool in body["tools"]) == names


def test_tools_have_anthropic_s_form() -> None:
    strict = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}
    own = {"type": "web_fetch_20250910", "name": "web_fetch", "max_uses": 2}
    place = {"type": "approximate", "approximate": {"city": "Rome", "country": "IT"}}
    tools = [
        function("f", description="To f.", parameters={"$schema": "x", "properties": {}}, cache_control=CACHED),
        function("g", strict=True, parameters=strict) | {"defer_loading": True},
        function("h", strict=True, parameters={"type": "object", "additionalProperties": True}),
        own,
    ]
    found, warnings = asked(HI, tools=tools, web_search_options={"user_location": place, "search_context_size": "low"})
    told = {"type": "integer", "description": "{minimum: 1}"}
    held = {**strict, "properties": {"n": told}, "additionalProperties": False}
    there = {"type": "approximate", "city": "Rome", "country": "IT"}
    plain = {"type": "object", "properties": {}}
    assert found.body["tools"] == [
        {"name": "f", "input_schema": plain, "description": "To f.", "cache_control": CACHED},
        {"name": "g", "input_schema": held, "strict": True, "defer_loading": True},
        {"name": "h", "input_schema": {"type": "object", "additionalProperties": True}},
        own,
        {"type": "web_search_20250305", "name": "web_search", "user_location": there},
    ]
    assert len(warnings) == 3 and "`minimum`" in warnings[1]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [function("f")], "tool_choice": function("g")}, "tool_choice"),
        ({"tools": [function("f")], "tool_choice": allowed("auto", "g")}, "tool_choice"),
        ({"tools": [function("f")], "tool_choice": "any"}, "tool_choice"),
        ({"model": OPUS, "tools": [function("f")], "tool_choice": "required"}, "tool_choice"),
        ({"stop": "\n"}, "stop"),
        ({"reasoning_effort": "much"}, "reasoning_effort"),
        ({"response_format": {"type": "grammar"}}, "response_format"),
        ({"response_format": {"type": "json_object"}, "tools": [function("f")]}, "response_format"),
        ({"response_format": {"type": "json_object"}, "model": OPUS}, "response_format"),
        ({"n": 2}, "n"), ({"logprobs": True}, "logprobs"), ({"betas": ["a b"]}, "betas"), ({"audio": {}}, "audio"),
    ],
)  # fmt: skip
def test_what_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as raised:
        made(HI, **fields)
    assert (raised.value.param == param and "`claude`" in raised.value.message) or param == "betas"


def test_an_answer_is_held_to_a_schema_natively_beside_tools_and_an_effort() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    more = {"tools": [function("f")], "output_config": {"effort": "max"}, "reasoning_effort": "low"}
    found, warnings = asked(HI, model=OPUS, response_format=form, **more)
    held = {"type": "json_schema", "schema": {**schema, "additionalProperties": False}}
    assert found.body["output_config"] == {"effort": "max", "format": held} and not found.has_answer_tool
    assert warnings == []


@pytest.mark.parametrize(
    "form",
    [
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"name": "x"}},
        {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "additionalProperties": {}}}},
    ],
)
def test_an_object_of_any_properties_is_a_tool_that_has_to_be_called(form: dict[str, Any]) -> None:
    found, warnings = asked(HI, response_format=form, reasoning_effort="high", model=OLDER)
    [tool] = found.body["tools"]
    assert found.has_answer_tool and tool["input_schema"]["type"] == "object"
    once = {"type": "tool", "name": tool["name"], "disable_parallel_tool_use": True}
    assert found.body["tool_choice"] == once
    assert "thinking" not in found.body and len(warnings) == 2  # a model with a budget cannot think then


@pytest.mark.parametrize("more", [{"tools": [function("f")], "tool_choice": "required"}, {"response_format": ANY}])
def test_a_model_that_has_to_call_a_tool_is_not_asked_to_think(more: dict[str, Any]) -> None:
    body = made(HI, model="claude-sonnet-4-6", reasoning_effort="high", temperature=0, **more)
    assert "thinking" not in body and body["output_config"] == {"effort": "high"} and body["temperature"] == 0


def test_a_tool_that_stands_for_the_form_takes_only_objects() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "array", "items": {}}}}
    with pytest.raises(RequestError, match="that of an object") as raised:
        made(HI, response_format=form)
    assert raised.value.param == "response_format"


@pytest.mark.parametrize(
    ("model", "fields", "sent", "warned"),
    [
        (SONNET, {"temperature": 1.5, "top_k": 3}, {"temperature": 1, "top_k": 3}, ["`temperature` was lowered"]),
        (SONNET, {"temperature": 0, "top_p": 0.5}, {"temperature": 0}, ["`top_p`"]),
        (SONNET, {"temperature": 0, "top_p": 1}, {"temperature": 0}, []),
        (SONNET, {"top_p": 0.5}, {"top_p": 0.5}, []),
        (SONNET, {"thinking": {"type": "adaptive"}, "top_p": 0.97, "temperature": 1}, {"top_p": 0.97}, []),
        (SONNET, {"thinking": {"type": "adaptive"}, "temperature": 0, "top_k": 1}, {}, ["`temperature`", "`top_k`"]),
        (OPUS, {"temperature": 1, "top_p": 1}, {}, []),
        (OPUS, {"temperature": 0, "top_p": 0.5, "top_k": "x"}, {}, ["`temperature`", "`top_p`", "`top_k`"]),
        ("other", {"temperature": 0, "top_p": 0.5}, {"temperature": 0, "top_p": 0.5}, []),
    ],
)
def test_sampling(model: str, fields: dict[str, Any], sent: dict[str, Any], warned: list[str]) -> None:
    found, warnings = asked(HI, model=model, **fields)
    assert {name: found.body[name] for name in ("temperature", "top_p", "top_k") if name in found.body} == sent
    assert [words.split(" ")[0] for words in warnings] == [words.split(" ")[0] for words in warned]


@pytest.mark.parametrize(
    ("model", "effort", "most", "thinking", "told"),
    [
        (OLDER, "minimal", 9000, {"type": "enabled", "budget_tokens": 1024}, None),
        (OLDER, "high", 100_000, {"type": "enabled", "budget_tokens": 24576}, None),
        (OLDER, "xhigh", 5000, {"type": "enabled", "budget_tokens": 2500}, None),
        (OLDER, "high", 1025, {"type": "enabled", "budget_tokens": 1024}, None),
        (OLDER, "high", 1024, None, None),
        (OLDER, "none", 9000, {"type": "disabled"}, None),
        ("claude-opus-4-5-20251101", "max", 9000, {"type": "enabled", "budget_tokens": 4500}, "high"),
        ("claude-opus-4-8", "xhigh", 5, {"type": "adaptive", "display": "summarized"}, "xhigh"),
        ("claude-mythos-5-2", "none", 5, None, "low"),
        ("claude-3-haiku-20240307", "low", 9000, None, None),
        ("claude-3-haiku-20240307", "none", 9000, None, None),
        ("claude-opus-9", "high", 5, {"type": "adaptive", "display": "summarized"}, "high"),
        ("deepseek-reasoner", "low", 9000, {"type": "enabled", "budget_tokens": 1024}, None),
    ],
)
def test_effort(model: str, effort: str, most: int, thinking: Any, told: str | None) -> None:
    body = made(HI, model=model, reasoning_effort=effort, max_tokens=most)
    assert body.get("thinking") == thinking
    assert body.get("output_config") == ({"effort": told} if told else None)


def test_a_request_s_own_fields_go_before_and_the_others_travel_on() -> None:
    thinking = {"type": "enabled", "budget_tokens": 2048}
    found, warnings = asked(
        HI, model=OLDER, reasoning_effort="high", thinking=thinking, vendor_thing=[1], container="c", stream=True,
        stream_options={"include_usage": True}, user="u", safety_identifier="s", metadata={"a": "b"}, store=True,
        service_tier="flex", prediction={"type": "content", "content": "x"}, prompt_cache_key="k", betas="b-1",
    )  # fmt: skip
    assert found.body == {
        "model": OLDER, "messages": [{"role": "user", "content": [text("hi")]}], "max_tokens": 9000, "stream": True,
        "thinking": thinking, "vendor_thing": [1], "container": "c", "metadata": {"user_id": "s"},
    }  # fmt: skip
    assert found.headers == {"anthropic-beta": "b-1"} and warnings == []
    assert found.counted.keys() == {"model", "messages", "thinking"}


@pytest.mark.parametrize(
    ("given", "sent"),
    [("auto", "auto"), ("priority", "auto"), ("default", "standard_only"), ("standard_only", "standard_only")],
)
def test_tiers(given: str, sent: str) -> None:
    assert made(HI, service_tier=given)["service_tier"] == sent


def test_nonsense_in_anthropic_s_own_fields_is_for_anthropic_to_refuse() -> None:
    body = made(HI, thinking="much", output_config=5, metadata={"user_id": "me"}, reasoning_effort="low")
    assert (body["thinking"], body["output_config"], body["metadata"]) == ("much", 5, {"user_id": "me"})
