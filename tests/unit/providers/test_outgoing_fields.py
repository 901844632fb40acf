"""What is done to a request's fields before a vendor gets them: rules, tools, formats, images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import Raw

from runtime.apis.inference.protocol import ChatCompletionRequest
from runtime.context import RequestContext, current, serving
from runtime.errors import RequestError
from runtime.providers.inference._openai_compatible.outgoing_fields import (
    MessageFields,
    apply_rules,
    fit_chat,
    given_fields,
)
from runtime.providers.inference._openai_compatible.rules import (
    NO_ANSWER_FIELDS,
    ONE_ANSWER,
    ONE_LIMIT,
    Added,
    Capped,
    Ignored,
    LeftOut,
    Renamed,
    Rule,
)
from runtime.providers.inference._openai_compatible.spec import Chat, Format, ToolChoice
from runtime.sse import encode

WHY = "has no such thing"


@pytest.fixture(autouse=True)
def request_context() -> Iterator[None]:
    with serving(RequestContext()):
        yield


def after(body: dict[str, Any], *rules: Rule) -> tuple[dict[str, Any], list[str]]:
    """The body as the vendor gets it, and the warnings."""
    apply_rules(rules, body, provider_id="acme")
    return body, current().warnings


def fitted(chat: Chat, **body: Any) -> dict[str, Any]:
    fit_chat(chat, body, provider_id="acme")
    return body


@pytest.mark.parametrize(
    ("rule", "body", "sent", "warnings"),
    [
        (Renamed("seed", "random_seed", WHY), {"seed": 1}, {"random_seed": 1}, []),
        (Renamed("seed", "random_seed", WHY), {"seed": None}, {}, []),
        (Renamed("seed", "random_seed", WHY), {"top_k": 1}, {"top_k": 1}, []),
        (ONE_LIMIT, {"max_tokens": 9, "max_completion_tokens": 5}, {"max_tokens": 5}, []),
        (Renamed("a", "b", WHY, gives_way=True), {"a": 1, "b": 2}, {"b": 2}, []),
        (Renamed("a", "b", WHY, gives_way=True), {"a": 1, "b": None}, {"b": 1}, []),
        (LeftOut("user", WHY), {"user": "me", "n": 1}, {"n": 1}, []),
        (LeftOut("user", WHY, unless="store"), {"user": "me", "store": False}, {"store": False}, []),
        (LeftOut("user", WHY, unless="store"), {"user": "me", "store": True}, {"user": "me", "store": True}, []),
        (Ignored("seed", WHY), {"seed": 0}, {}, ["`seed` has no effect: `acme` has no such thing"]),
        (Ignored("seed", WHY), {"seed": None}, {}, []),
        (Ignored("frequency_penalty", WHY, unless=(0,)), {"frequency_penalty": 0.0}, {}, []),
        (ONE_ANSWER, {"n": 1}, {}, []),
        (ONE_ANSWER, {"n": None}, {}, []),
        (Capped("temperature", 1, WHY), {"temperature": 0.5}, {"temperature": 0.5}, []),
        (Capped("temperature", 1, WHY), {"temperature": None}, {"temperature": None}, []),
        (
            Capped("temperature", 1, WHY),
            {"temperature": 1.5},
            {"temperature": 1},
            ["`temperature` was lowered to 1: `acme` has no such thing"],
        ),
        (
            Added("input_type", "passage", WHY),
            {},
            {"input_type": "passage"},
            ["`input_type` was not given, and `acme` requires it: 'passage' was sent"],
        ),
        (Added("input_type", "passage", WHY), {"input_type": "query"}, {"input_type": "query"}, []),
    ],
)
def test_a_rule_changes_a_field(rule: Rule, body: dict[str, Any], sent: dict[str, Any], warnings: list[str]) -> None:
    assert after(body, rule) == (sent, warnings)


def test_a_field_in_lists_is_changed_everywhere_and_named_once() -> None:
    messages = [{"role": "user", "name": "ada", "content": "hi"}, {"role": "user", "name": "bob"}, "no message"]
    body, warnings = after({"messages": messages}, Ignored("messages[].name", WHY))
    assert body == {"messages": [{"role": "user", "content": "hi"}, {"role": "user"}, "no message"]}
    assert warnings == ["`messages[].name` has no effect: `acme` has no such thing"]


@pytest.mark.parametrize("body", [{}, {"tools": None}, {"tools": "?"}, {"tools": [{"function": None}, 5]}])
def test_a_place_that_a_body_does_not_have_is_passed_over(body: dict[str, Any]) -> None:
    assert after(dict(body), Ignored("tools[].function.strict", WHY)) == (body, [])


def test_a_refusal_goes_back_as_a_text_where_the_vendor_has_no_other_word_for_it() -> None:
    said = [
        {"role": "assistant", "content": None, "refusal": "No.", "annotations": []},
        {"role": "assistant", "content": "Yes.", "refusal": None},
    ]
    body, warnings = after({"messages": said}, *NO_ANSWER_FIELDS)
    assert body["messages"] == [{"role": "assistant", "content": "No."}, {"role": "assistant", "content": "Yes."}]
    assert warnings == []


def test_rules_are_followed_in_their_order() -> None:
    both = {"max_tokens": 9, "max_completion_tokens": 5}
    assert after(both, ONE_LIMIT, Renamed("max_tokens", "limit", WHY)) == ({"limit": 5}, [])


def test_a_refused_field_is_named_with_what_to_do() -> None:
    with pytest.raises(RequestError) as caught:
        after({"n": 2}, ONE_ANSWER)
    assert (caught.value.param, caught.value.code) == ("n", "unsupported_parameter")
    assert str(caught.value).startswith("`n` cannot be honoured: `acme` gives one answer to a request")
    assert "ask a model of another provider" in (caught.value.hint or "")


TOOLS = [{"type": "function", "function": {"name": name}} for name in ("add", "mul")]
NAMED = {"type": "function", "function": {"name": "mul"}}
ALLOWED = {
    "type": "allowed_tools",
    "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "mul"}}]},
}
OF_THE_VENDOR = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "search"}]}}
ONLY_MUL = TOOLS[1:]


def choices(*known: ToolChoice) -> Chat:
    return Chat(tool_choices=frozenset(known))


@pytest.mark.parametrize(
    ("chat", "choice", "tools", "sent"),
    [
        (Chat(), NAMED, TOOLS, NAMED),
        (Chat(), ALLOWED, TOOLS, ALLOWED),
        (choices("auto", "none"), "auto", TOOLS, "auto"),
        (choices("none", "required"), "auto", TOOLS, None),  # the default
        (choices("auto", "required"), "required", TOOLS, "required"),
        (choices("auto", "required"), NAMED, ONLY_MUL, "required"),
        (choices("auto"), ALLOWED, ONLY_MUL, "auto"),
        (Chat(), {"type": "of-the-vendor"}, TOOLS, {"type": "of-the-vendor"}),
        (Chat(), "any", TOOLS, "any"),
    ],
)
def test_a_choice_is_sent_in_a_form_that_the_vendor_has(chat: Chat, choice: Any, tools: list[Any], sent: Any) -> None:
    body = fitted(chat, tools=list(TOOLS), tool_choice=choice)
    assert (body["tools"], body.get("tool_choice")) == (tools, sent)


def test_tools_of_the_vendor_s_own_kinds_are_not_among_those_that_are_named() -> None:
    others: list[Any] = [{"type": "search"}, {"type": "mcp", "mcp": "somewhere"}, *TOOLS]
    assert fitted(choices("auto"), tools=others, tool_choice=ALLOWED)["tools"] == ONLY_MUL


@pytest.mark.parametrize("chat", [choices("auto", "required"), Chat(tools=False)])
def test_without_any_tool_none_are_sent(chat: Chat) -> None:
    assert fitted(chat, tools=list(TOOLS), tool_choice="none", parallel_tool_calls=False, n=1) == {"n": 1}


def test_an_empty_list_of_tools_is_not_sent_where_there_are_none() -> None:
    assert fitted(Chat(tools=False), tools=[]) == {}
    assert fitted(Chat(), tools=[]) == {"tools": []}


@pytest.mark.parametrize(
    ("chat", "body", "param"),
    [
        (Chat(tools=False), {"tools": TOOLS}, "tools"),
        (Chat(tools=False), {"functions": [{"name": "add"}]}, "functions"),
        (choices("auto"), {"tools": TOOLS, "tool_choice": "required"}, "tool_choice"),
        (choices("auto"), {"tools": TOOLS, "tool_choice": NAMED}, "tool_choice"),
        (choices("auto"), {"tools": TOOLS, "tool_choice": "any"}, "tool_choice"),
        (choices("auto", "required"), {"tools": TOOLS, "tool_choice": {"type": "of-the-vendor"}}, "tool_choice"),
        (choices("auto"), {"functions": [{"name": "mul"}], "tool_choice": OF_THE_VENDOR}, "tool_choice"),
        (Chat(formats=frozenset({"text"})), {"response_format": {"type": "json_object"}}, "response_format"),
        (
            Chat(formats=frozenset({"text", "json_object"})),
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}},
            "response_format",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(chat: Chat, body: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        fitted(chat, **body)
    assert (caught.value.param, caught.value.code) == (param, "unsupported_parameter")


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
WANTED = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
ANY_OBJECT = {"type": "json_schema", "json_schema": {"name": "object", "schema": {"type": "object"}}}


def formats(*known: Format) -> Chat:
    return Chat(formats=frozenset(known))


@pytest.mark.parametrize(
    ("chat", "given", "sent"),
    [
        (Chat(), {"type": "text"}, {"type": "text"}),
        (Chat(), WANTED, WANTED),
        (formats("json_object"), {"type": "text"}, None),
        (formats("json_schema"), {"type": "json_object"}, ANY_OBJECT),
        (formats("text"), {"type": "grammar", "grammar": "root"}, {"type": "grammar", "grammar": "root"}),
        (Chat(format_style="tgi"), WANTED, {"type": "json", "value": SCHEMA}),
        (Chat(format_style="tgi"), {"type": "json_object"}, {"type": "json", "value": {"type": "object"}}),
        (Chat(format_style="tgi"), {"type": "text"}, {"type": "text"}),
    ],
)
def test_a_format_is_sent_in_a_form_that_the_vendor_has(chat: Chat, given: Any, sent: Any) -> None:
    assert fitted(chat, response_format=given).get("response_format") == sent


@pytest.mark.parametrize(("given", "stream"), [(WANTED, False), ({"type": "text"}, True)])
def test_a_format_that_the_vendor_does_not_stream_is_asked_for_as_a_whole(given: Any, stream: bool) -> None:
    chat = Chat(whole_formats=frozenset({"json_schema"}))
    sent = fitted(chat, response_format=given, stream=True, stream_options={"include_usage": True})
    assert (sent["stream"], "stream_options" in sent) == (stream, stream)


def picture(url: str, *, alone: bool = False) -> dict[str, Any]:
    image = url if alone else {"url": url}
    return {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": image}]}]}


def test_an_image_to_be_fetched_is_refused_where_the_vendor_does_not_fetch() -> None:
    inline = picture("data:image/png;base64,AAAA")
    assert fitted(Chat(remote_images=False), **inline) == inline
    assert fitted(Chat(remote_images=False), **picture("Data:image/png;base64,AAAA"))
    assert fitted(Chat(), **picture("https://example.com/a.png")) == picture("https://example.com/a.png")
    assert fitted(Chat(remote_images=False), **picture("data:image/png;base64,AAAA", alone=True))
    for alone in (True, False):
        with pytest.raises(RequestError) as caught:
            fitted(Chat(remote_images=False), **picture("https://example.com/a.png", alone=alone))
        assert caught.value.param == "messages[].content[].image_url.url"


@pytest.mark.parametrize(
    ("message", "is_read"),
    [
        ('{"role": "user", "content": "hi"}', False),
        ('{"role": "user", "content": "my name, \\"name\\": x, \\u00e9"}', False),
        ('{"role": "user", "content": "hi", "name": "ada"}', True),
        ('{"role": "user", "content": "hi", "n\\u0061me": "ada"}', True),
        ('{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}', True),
    ],
)
def test_messages_are_read_where_they_may_have_what_is_changed(message: str, is_read: bool) -> None:
    raw = f'{{"model": "m", "messages": [{message}]}}'.encode()
    request = ChatCompletionRequest.model_validate_json(raw).with_raw(raw)
    body = given_fields(request, opaque=("messages",))
    MessageFields(Chat()).read(body)
    assert isinstance(body["messages"], Raw)
    MessageFields(Chat(rules=(Ignored("messages[].name", WHY), ONE_ANSWER), remote_images=False)).read(body)
    assert isinstance(body["messages"], list) == is_read
    assert json.loads(encode(body)) == json.loads(raw)


def test_a_number_beyond_all_range_in_messages_that_are_read_is_refused() -> None:
    raw = b'{"model": "m", "messages": [{"role": "user", "content": "hi", "name": "ada", "x": 1e999}]}'
    body = given_fields(ChatCompletionRequest.model_validate_json(raw).with_raw(raw), opaque=("messages",))
    with pytest.raises(RequestError) as caught:
        MessageFields(Chat(rules=(Ignored("messages[].name", WHY),))).read(body)
    assert caught.value.param == "messages"
