"""Responses, which are asked for where tools or documents are: what is sent, and what is made of what comes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from llama_cli.conversation.items import fields_of, going_on, items_of
from tests.support.schemas import conform
from tests.support.wire import chunked, server, sized

if TYPE_CHECKING:
    from tests.support.command_runner import Cli, Result

TOOL = ("--tool", "mcp:llamas=https://x.y/mcp")
CALL = {
    "type": "mcp_call", "id": "mcp_1", "status": "completed", "server_label": "llamas", "name": "add",
    "arguments": '{"a": 2}', "output": "5", "error": None,
}  # fmt: skip
USAGE = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7, "input_tokens_details": {"cached_tokens": 0}}
REQUEST = {
    "type": "mcp_approval_request", "id": "mcpr_1", "server_label": "llamas", "name": "add", "arguments": "{}",
}  # fmt: skip


def message(text: str) -> dict[str, Any]:
    return {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def response(*output: Any, status: str = "completed", **facts: Any) -> dict[str, Any]:
    return {"id": "resp_1", "status": status, "output": [*output], "usage": USAGE, **facts}


def events(*told: tuple[str, dict[str, Any]]) -> list[bytes]:
    return [b"data: %b\n\n" % json.dumps({"type": f"response.{kind}", **facts}).encode() for kind, facts in told]


def text(*pieces: str) -> list[tuple[str, dict[str, Any]]]:
    begun = ("output_item.added", {"item": message("")})
    deltas = [("output_text.delta", {"delta": piece}) for piece in pieces]
    return [begun, *deltas, ("output_item.done", {"item": message("".join(pieces))})]


CALLED: list[tuple[str, dict[str, Any]]] = [
    ("output_item.added", {"item": {**CALL, "output": None, "arguments": ""}}),
    ("output_item.done", {"item": CALL}),
]
END = ("completed", {"response": response()})


def asked(cli: Cli, *arguments: str, answer: bytes, stdin: str = "") -> tuple[Result, Any]:
    with server(answer) as (url, seen):
        result = cli("chat", "--model", "m", "--url", url, *arguments, stdin=stdin)
    return result, seen[0] if seen else None


def test_every_option_is_sent_under_its_name_there(cli: Cli) -> None:
    options = ["--temperature", "0", "--max-tokens", "9", "--seed", "4", "--stop", "a", "--reasoning-effort", "low"]
    more = ["-s", "be", "--schema", '{"type": "object"}', "-F", "service_tier=flex", "--yes", "--no-stream"]
    _, body = asked(cli, "hi", *TOOL, *options, *more, answer=sized(json.dumps(response(message("{}"))).encode()))
    assert body == {
        "model": "m",
        "input": [{"role": "system", "content": "be"}, {"role": "user", "content": "hi"}],
        "store": False,
        "tools": [
            {
                "type": "mcp",
                "server_label": "llamas",
                "server_url": "https://x.y/mcp",
                "require_approval": "never",
            }
        ],
        "text": {"format": {"type": "json_schema", "name": "answer", "schema": {"type": "object"}}},
        "reasoning": {"effort": "low"},
        "temperature": 0,
        "max_output_tokens": 9,
        "seed": 4,
        "stop": ["a"],
        "service_tier": "flex",
    }


def test_a_document_goes_to_the_server_as_it_is(cli: Cli, tmp_path: Path) -> None:
    for name, content, kind in (
        ("care.pdf", b"%PDF-1.7", "application/pdf"),
        ("care.docx", b"PK\x03\x04", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ):
        (tmp_path / name).write_bytes(content)
        whole = sized(json.dumps(response(message("Yes."))).encode())
        result, body = asked(cli, "hi", "--file", str(tmp_path / name), "--no-stream", answer=whole)
        assert (result.code, result.out, "tools" in body) == (0, "Yes.\n", False)
        said, file = body["input"][0]["content"]
        assert said == {"type": "input_text", "text": "hi"} and file["type"] == "input_file"
        assert file["filename"] == name and file["file_data"].startswith(f"data:{kind};base64,")
    (tmp_path / "some.zip").write_bytes(b"PK\x03\x04\0")
    assert asked(cli, "hi", "--file", str(tmp_path / "some.zip"), answer=b"")[0].code == 2


def test_pieces_and_calls_come_as_they_are_told(cli: Cli) -> None:
    stream = chunked(*events(*text("Let ", "me see."), *CALLED, *text("It is ", "5."), END))
    assert asked(cli, "hi", *TOOL, answer=stream)[0] == (0, "Let me see.\n\nIt is 5.\n", "")
    told = asked(cli, "hi", *TOOL, "--verbose", answer=stream)[0]
    assert told.err == 'llamas: add {"a": 2} -> 5\n'


def test_json_has_calls_and_the_usage_of_chats(cli: Cli) -> None:
    failed = {**CALL, "output": None, "error": {"type": "mcp_tool_execution_error", "content": [{"text": "asleep"}]}}
    odd = {**CALL, "arguments": "{oops", "error": "gone", "output": None}
    output = [{"type": "mcp_list_tools"}, message("First."), CALL, failed, odd, message('{"a": 1}')]
    whole = sized(json.dumps(response(*output)).encode())
    result, _ = asked(cli, "hi", *TOOL, "--json", "--schema", '{"required": ["a"]}', answer=whole)
    document = result.json()
    conform(document, "chat")
    assert document["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert (document["content"], document["parsed"]) == ('First.\n\n{"a": 1}', {"a": 1})
    assert document["tool_calls"] == [
        {"server": "llamas", "name": "add", "arguments": {"a": 2}, "output": "5", "error": None},
        {"server": "llamas", "name": "add", "arguments": {"a": 2}, "output": None, "error": "asleep"},
        {"server": "llamas", "name": "add", "arguments": "{oops", "output": None, "error": "gone"},
    ]


@pytest.mark.parametrize(
    ("reason", "words"),
    [("max_output_tokens", "cut at 4 tokens"), ("max_infer_iters", "calls of tools"), ("content_filter", "filter")],
)
def test_why_it_is_incomplete_is_told(cli: Cli, reason: str, words: str) -> None:
    cut = response(message("half"), status="incomplete", incomplete_details={"reason": reason})
    result, _ = asked(cli, "hi", *TOOL, "--no-stream", answer=sized(json.dumps(cut).encode()))
    assert (result.code, result.out) == (0, "half\n") and words in result.err


FAILED = ("failed", {"response": response(status="failed", error={"code": "server_error", "message": "it fell over"})})


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (chunked(*events(*text("half"))), "before its answer was whole"),
        (chunked(*events(*text("half"), FAILED)), "it fell over"),
        (chunked(*events(*text("half")), b'data: {"type": "error", "message": "stopping"}\n\n'), "stopping"),
        (chunked(*events(*text("half")), b'data: {"type": "error", "error": {"message": "no"}}\n\n'), "no"),
        (chunked(*events(*text("half"), ("output_item.done", {"item": 7}))), "no response"),
        (chunked(*events(*text("half")), b'data: {"choices": []}\n\n'), "no response"),
    ],
    ids=["cut", "failed", "error", "error with facts", "other item", "other event"],
)
def test_half_a_response_is_a_failure(cli: Cli, stream: bytes, words: str) -> None:
    result, _ = asked(cli, "hi", *TOOL, answer=stream)
    assert (result.code, result.out) == (6, "half") and words in result.err, result


def test_what_is_no_response_is_a_failure(cli: Cli) -> None:
    for answer in (b'{"output": []}', b"[]", b'{"output": [7], "status": "completed"}'):
        result, _ = asked(cli, "hi", *TOOL, "--no-stream", answer=sized(answer))
        assert result.code == 6 and "JSON that is no response" in result.err


def test_a_server_without_responses_is_named(cli: Cli) -> None:
    refused = b'HTTP/1.1 404 Not Found\r\ncontent-length: 37\r\n\r\n{"error": {"message": "no such path"}}'
    models = sized(b'{"data": [{"id": "m"}]}')
    with server(refused, models) as (url, _):
        result = cli("chat", "hi", "--model", "m", "--url", url, *TOOL)
    assert result.code == 1 and "/v1/responses" in result.err


def test_without_a_terminal_and_a_yes_nothing_is_allowed(cli: Cli) -> None:
    whole = sized(json.dumps(response(REQUEST)).encode())
    for more in ([], ["--json"]):
        result, body = asked(cli, "hi", *TOOL, "--no-stream", *more, answer=whole)
        assert (result.code, "add `--yes`" in result.out + result.err) == (2, True)
        assert body["tools"][0]["require_approval"] == "always"


def test_what_is_to_be_allowed_stands_in_one_line(cli: Cli) -> None:
    hostile = {**REQUEST, "name": "add`\nllamas: nothing\n`", "arguments": '{\n"a": "\u2028\x1b[2J"}'}
    result, _ = asked(cli, "hi", *TOOL, "--no-stream", answer=sized(json.dumps(response(hostile)).encode()))
    assert result.code == 2 and result.err.count("\n") == 3 and "\x1b" not in result.err
    assert result.err.startswith("error: `llamas` is to be asked for `add`\\nllamas: nothing\\n`` with {\\n")


def test_with_a_yes_to_everything_nobody_is_asked_whatever_the_server_makes_of_it(cli: Cli) -> None:
    answers = [sized(json.dumps(response(one)).encode()) for one in (REQUEST, message("5"))]
    with server(*answers) as (url, seen):
        result = cli("chat", "hi", "--model", "m", "--url", url, *TOOL, "--yes", "--no-stream")
    assert (result.code, result.out, result.err) == (0, "5\n", "")
    said = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
    assert seen[1]["input"][-1] == said


def test_a_function_that_nobody_calls_is_named(cli: Cli) -> None:
    call = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "nosuch", "arguments": "{}"}
    told = "ended with a call of `nosuch`, which nobody answers here; with `--tool mcp:URL` the server does\n"
    whole = sized(json.dumps(response(call)).encode())
    assert asked(cli, "hi", *TOOL, "--no-stream", answer=whole)[0] == (0, "\n", told)
    stream = chunked(*events(("output_item.added", {"item": call}), ("output_item.done", {"item": call}), END))
    assert asked(cli, "hi", *TOOL, answer=stream)[0] == (0, "\n", told)
    pieces = [{"name": "nosuch", "arguments": ""}, {"arguments": "{}"}]
    deltas = [{"choices": [{"delta": {"tool_calls": [{"index": 0, "function": piece}]}}]} for piece in pieces]
    end = {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}
    chat = chunked(*[b"data: %b\n\n" % json.dumps(one).encode() for one in (*deltas, end)], b"data: [DONE]\n\n")
    assert asked(cli, "hi", answer=chat)[0] == (0, "\n", told)


def test_messages_become_items() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:x"}}
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:y"}}
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    other = {"type": "input_audio"}
    assert items_of(
        [
            {"role": "system", "content": "be"},
            {"role": "user", "content": [{"type": "text", "text": "see"}, picture, file, other]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "done"},
            {"role": "assistant", "content": [{"type": "text", "text": "so"}]},
            {"role": "assistant", "content": "5", "items": [CALL]},
        ]
    ) == [
        {"role": "system", "content": "be"},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "see"},
                {"type": "input_image", "image_url": "data:x"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:y"},
                other,
            ],
        },
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "done"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "so"}]},
        CALL,
    ]


def test_what_goes_on_has_no_ids_but_those_that_are_answered() -> None:
    answer = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
    bare = {name: value for name, value in CALL.items() if name not in ("id", "status")}
    assert going_on([CALL, REQUEST, answer]) == [bare, REQUEST, answer]
    assert going_on([CALL, REQUEST]) == [bare], "a call that was given up"


def test_fields_that_a_response_does_not_have_stay() -> None:
    assert fields_of({"seed": 1, "response_format": {"type": "json_object"}}) == {
        "seed": 1,
        "text": {"format": {"type": "json_object"}},
    }
