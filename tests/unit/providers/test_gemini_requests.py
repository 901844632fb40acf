"""OpenAI's requests in Gemini's form, field by field. https://ai.google.dev/api/generate-content"""

from __future__ import annotations

from typing import Any

import pytest

from runtime.context import RequestContext, serving
from runtime.errors import RequestError
from runtime.providers.inference._gemini.requests import request_of

NEWER, OLDER = "gemini-3.1-pro", "gemini-2.5-flash"
SKIPPED = "skip_thought_signature_validator"
SCHEMA = {"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"type": "string"}}}
HI = {"role": "user", "content": "hi"}


def made(*messages: dict[str, Any], model: str = OLDER, **fields: Any) -> tuple[dict[str, Any], list[str]]:
    context = RequestContext()
    with serving(context):
        return request_of({"model": model, "messages": [*messages], **fields}, "google"), [*context.warnings]


def function(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **more}}


def call(id: str, name: str, arguments: str = "{}", **more: Any) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ("hi", [{"text": "hi"}]),
        (None, [{"text": ""}]),
        ([{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}], [{"text": "a"}, {"text": "b"}]),
        (
            [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
            [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}],
        ),
        (
            [{"type": "image_url", "image_url": "data:image/svg+xml,%3Csvg/%3E"}],
            [{"inlineData": {"mimeType": "image/svg+xml", "data": "PHN2Zy8+"}}],
        ),
        (
            [{"type": "image_url", "image_url": {"url": "https://example.com/a.jpg?x=1"}}],
            [{"fileData": {"mimeType": "image/jpeg", "fileUri": "https://example.com/a.jpg?x=1"}}],
        ),
        (
            [{"type": "video_url", "video_url": {"url": "https://www.youtube.com/watch?v=x.mp4"}}],
            [{"fileData": {"fileUri": "https://www.youtube.com/watch?v=x.mp4"}}],
        ),
        (
            [{"type": "video_url", "video_url": {"url": "gs://bucket/a.mp4"}}],
            [{"fileData": {"mimeType": "video/mp4", "fileUri": "gs://bucket/a.mp4"}}],
        ),
        (
            [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}],
            [{"inlineData": {"mimeType": "audio/mp3", "data": "AAAA"}}],
        ),
        (
            [{"type": "file", "file": {"file_data": "AAAA", "filename": "a.txt"}}],
            [{"inlineData": {"mimeType": "text/plain", "data": "AAAA"}}],
        ),
        (
            [{"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}}],
            [{"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}}],
        ),
        (
            [{"type": "file", "file": {"file_id": "https://generativelanguage.googleapis.com/v1beta/files/abc"}}],
            [{"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}}],
        ),
    ],
)
def test_parts(given: Any, parts: list[Any]) -> None:
    body, warnings = made({"role": "user", "content": given})
    assert body == {"contents": [{"role": "user", "parts": parts}]}
    assert warnings == []


@pytest.mark.parametrize(
    ("fields", "config"),
    [
        ({"temperature": 0, "top_p": 0.5, "top_k": 3}, {"temperature": 0, "topP": 0.5, "topK": 3}),
        ({"max_tokens": 3, "max_completion_tokens": 4}, {"maxOutputTokens": 4}),
        ({"max_tokens": 3}, {"maxOutputTokens": 3}),
        ({"stop": "x"}, {"stopSequences": ["x"]}),
        ({"stop": ["x", "y"], "n": 2}, {"stopSequences": ["x", "y"], "candidateCount": 2}),
        ({"seed": -1}, {"seed": 2**31 - 1}),
        (
            {"presence_penalty": 0.5, "frequency_penalty": -1},
            {"presencePenalty": 0.5, "frequencyPenalty": -1},
        ),
        ({"logprobs": True}, {"responseLogprobs": True}),
        ({"logprobs": True, "top_logprobs": 4}, {"responseLogprobs": True, "logprobs": 4}),
        ({"logprobs": False, "stop": [], "response_format": {"type": "text"}}, None),
        ({"response_format": {"type": "json_object"}}, {"responseMimeType": "application/json"}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}},
            {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
        ),
        ({"modalities": ["text", "image"]}, {"responseModalities": ["TEXT", "IMAGE"]}),
        ({"reasoning_effort": "low"}, {"thinkingConfig": {"thinkingBudget": 1024, "includeThoughts": True}}),
        ({"reasoning_effort": "none"}, {"thinkingConfig": {"thinkingBudget": 0}}),
        (
            {"reasoning_effort": "low", "extra_body": {"google": {"thinking_config": {"thinking_budget": 5}}}},
            {"thinkingConfig": {"thinkingBudget": 5, "includeThoughts": True}},
        ),
        ({"generation_config": {"media_resolution": "LOW"}}, {"mediaResolution": "LOW"}),
    ],
)
def test_generation(fields: dict[str, Any], config: dict[str, Any] | None) -> None:
    body, warnings = made(HI, **fields)
    assert body.get("generationConfig") == config
    assert body.keys() <= {"contents", "generationConfig"} and warnings == []


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "warned"),
    [
        (NEWER, "medium", {"thinkingLevel": "MEDIUM", "includeThoughts": True}, False),
        ("gemini-flash-latest", "xhigh", {"thinkingLevel": "HIGH", "includeThoughts": True}, False),
        (NEWER, "none", {"thinkingLevel": "MINIMAL"}, True),
        (OLDER, "xhigh", {"thinkingBudget": 24576, "includeThoughts": True}, False),
    ],
)
def test_thinking_is_told_as_the_model_s_generation_has_it(
    model: str, effort: str, thinking: dict[str, Any], warned: bool
) -> None:
    body, warnings = made(HI, model=model, reasoning_effort=effort)
    assert body["generationConfig"] == {"thinkingConfig": thinking}
    assert bool(warnings) == warned


@pytest.mark.parametrize(
    ("tools", "choice", "config"),
    [
        ([function("f")], None, None),
        ([function("f")], "auto", None),
        ([function("f", strict=True)], "auto", {"mode": "VALIDATED"}),
        ([function("f")], "none", {"mode": "NONE"}),
        ([function("f")], "required", {"mode": "ANY"}),
        ([function("f"), function("g")], function("g"), {"mode": "ANY", "allowedFunctionNames": ["g"]}),
        (
            [function("f"), function("g")],
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [function("f")]}},
            {"mode": "VALIDATED", "allowedFunctionNames": ["f"]},
        ),
        ([], "none", None),
    ],
)
def test_choices_of_tools(tools: list[Any], choice: Any, config: dict[str, Any] | None) -> None:
    body, _ = made(HI, tools=tools, tool_choice=choice)
    assert body.get("toolConfig") == ({"functionCallingConfig": config} if config else None)


def test_functions_keep_their_schemas_and_tools_that_google_runs_stand_beside_them() -> None:
    tools = [function("f", description="d", parameters=SCHEMA), {"type": "google_search", "google_search": {"x": 1}}]
    body, _ = made(HI, tools=tools)
    declared = {"name": "f", "description": "d", "parametersJsonSchema": SCHEMA}
    assert body["tools"] == [{"googleSearch": {"x": 1}}, {"functionDeclarations": [declared]}]
    assert made(HI, web_search_options={})[0]["tools"] == [{"googleSearch": {}}]


CALLED = {
    "role": "assistant",
    "content": "let me see",
    "reasoning_content": "hm",
    "tool_calls": [
        call("1", "add", '{"a": 1}', extra_content={"google": {"thought_signature": "abc"}}),
        call("2", "mul", "{"),
    ],
}
ANSWERED = [
    {"role": "tool", "tool_call_id": "2", "content": '{"product": 6}'},
    {"role": "tool", "tool_call_id": "1", "content": "5"},
]


def test_a_conversation_with_calls_at_once() -> None:
    body, warnings = made({"role": "system", "content": "Be brief."}, HI, CALLED, *ANSWERED, HI)
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "hi"}]},
        {
            "role": "model",
            "parts": [
                {"text": "let me see"},
                {"functionCall": {"name": "add", "args": {"a": 1}}, "thoughtSignature": "abc"},
                {"functionCall": {"name": "mul", "args": {"unreadable": "{"}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "add", "response": {"output": "5"}}},
                {"functionResponse": {"name": "mul", "response": {"product": 6}}},
                {"text": "hi"},
            ],
        },
    ]
    assert warnings == []


def test_a_newer_model_is_told_ids_and_a_signature_where_there_is_none() -> None:
    plain = {**CALLED, "tool_calls": [call("1", "add"), call("2", "mul")]}
    body, _ = made(HI, plain, *ANSWERED, model=NEWER)
    first, second = body["contents"][1]["parts"][1:]
    assert first == {"functionCall": {"id": "1", "name": "add", "args": {}}, "thoughtSignature": SKIPPED}
    assert second == {"functionCall": {"id": "2", "name": "mul", "args": {}}}
    assert [part["functionResponse"]["id"] for part in body["contents"][2]["parts"]] == ["1", "2"]


def test_the_signature_of_a_text_goes_back_with_it() -> None:
    said = {"role": "assistant", "content": "ho", "extra_content": {"google": {"thought_signature": "abc"}}}
    body, _ = made(HI, said, HI)
    assert body["contents"][1]["parts"] == [{"text": "ho", "thoughtSignature": "abc"}]


@pytest.mark.parametrize("model", [NEWER, OLDER])
def test_an_image_that_a_tool_gave_is_beside_its_answer(model: str) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    answer = {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "seen"}, image]}
    body, _ = made(HI, {"role": "assistant", "tool_calls": [call("1", "look")]}, answer, model=model)
    response, *rest = body["contents"][2]["parts"]
    inline = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    assert response["functionResponse"]["response"] == {"output": "seen"}
    assert (response["functionResponse"].get("parts"), rest) == (([inline], []) if model == NEWER else (None, [inline]))


def test_the_system_s_words_are_moved_to_the_front_which_is_said_and_alone_are_a_turn() -> None:
    late = {"role": "developer", "content": "Be brief."}
    body, warnings = made(HI, late)
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert len(warnings) == 1 and "moved to the front" in warnings[0]
    body, warnings = made(late)
    assert body == {"contents": [{"role": "user", "parts": [{"text": "Be brief."}]}]} and warnings == []


def test_fields_of_gemini_s_own_are_sent_under_either_name_and_unknown_ones_as_they_are() -> None:
    safety = [{"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "BLOCK_NONE"}]
    body, _ = made(HI, safety_settings=safety, cachedContent="cachedContents/x", vendor_thing=1)
    assert body["safetySettings"] == safety
    assert (body["cachedContent"], body["vendor_thing"]) == ("cachedContents/x", 1)


@pytest.mark.parametrize(
    ("message", "fields", "param"),
    [
        (HI, {"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools"),
        (HI, {"tools": [function("f")], "tool_choice": "any"}, "tool_choice"),
        (HI, {"tool_choice": "required"}, "tool_choice"),
        (HI, {"response_format": {"type": "grammar"}}, "response_format"),
        (HI, {"reasoning_effort": "huge"}, "reasoning_effort"),
        (HI, {"top_logprobs": 2}, "top_logprobs"),
        (HI, {"modalities": ["audio"]}, "modalities"),
        ({"role": "tool", "tool_call_id": "9", "content": "x"}, {}, "messages[].tool_call_id"),
        ({"role": "user", "content": [{"type": "hologram"}]}, {}, "messages[].content[]"),
        (
            {"role": "user", "content": [{"type": "video_url", "video_url": 5}]},
            {},
            "messages[].content[].video_url.url",
        ),
        (
            {"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]},
            {},
            "messages[].content[].file.file_id",
        ),
        ({"role": "assistant", "tool_calls": [{"type": "custom", "id": "1"}]}, {}, "messages[].tool_calls"),
    ],
)
def test_what_gemini_cannot_be_asked_is_refused_by_name(message: Any, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as raised:
        made(message, **fields)
    assert raised.value.param == param
