"""Half an answer is never taken for a whole one, whatever ends it: each server here answers a chat in a way of its own.

The servers are real, at the level of bytes: what is checked is how a connection ends.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from llama_cli.asking import ask
from llama_cli.conversation import piped
from llama_cli.terminal import console
from tests.support.wire import DONE, chunked, closed, event, server, sized

if TYPE_CHECKING:
    from tests.support.command_runner import Cli

SSE = b"text/event-stream"
WHOLE_STREAMS = {
    "done, chunked": chunked(event("half"), event(" whole"), event(finish="stop"), DONE),
    "done, closed": closed(event("half whole"), DONE),
    "done, closed without a blank line": closed(event("half whole"), b"data: [DONE]"),
    "done, with a length": sized(event("half whole") + DONE, kind=SSE),
    "done, then silence": chunked(event("half whole"), DONE, is_whole=False),
    "finish reason and no done": chunked(event("half whole", finish="stop")),
    "two choices, both finished": closed(
        event("half whole", finish="stop"), event(index=1), event(index=1, finish="stop")
    ),
    "lines end in CR": closed(event("half"), event(" whole"), DONE).replace(b"\n\n", b"\r\r"),
    "with a byte order mark": closed(b"\xef\xbb\xbf" + event("half whole"), DONE),
    "cut within a character": chunked(event("half whole")[:-9], event("half whole")[-9:], DONE),
}
HTML = b"<!doctype html><title>Sign in</title>"
JSON = json.dumps({"choices": [{"message": {"content": "half"}, "finish_reason": "stop"}]}).encode()
CUT_STREAMS = {
    "closed": (closed(event("half")), "before its answer was whole"),
    "chunks cut": (chunked(event("half"), is_whole=False), "stopped in the middle of an answer"),
    "chunk cut": (chunked(event("half"), is_whole=False) + b"ff\r\ndata", "stopped in the middle of an answer"),
    "chunks whole": (chunked(event("half")), "before its answer was whole"),
    "length cut": (sized(event("half"), missing=9, kind=SSE), "stopped in the middle of an answer"),
    "length whole": (sized(event("half"), kind=SSE), "before its answer was whole"),
    "one of two choices": (closed(event("half", finish="stop"), event(index=1)), "before its answer was whole"),
    "error": (closed(event("half"), b'data: {"error": {"message": "the model fell over"}}\n\n'), "the model fell over"),
    "error and done": (closed(event("half"), b'data: {"error": {"message": "fell over"}}\n\n', DONE), "fell over"),
    "error in words": (closed(event("half"), b'data: {"error": "out of memory"}\n\n', DONE), "out of memory"),
    "no JSON": (closed(event("half"), b"data: {oops\n\n", DONE), "`{oops`"),
    "no object": (closed(event("half"), b"data: 7\n\n", DONE), "`7`"),
    "other JSON": (closed(event("half"), b'data: {"choices": [7]}\n\n', DONE), "no chat completion"),
}  # fmt: skip
NO_STREAMS = {
    "nothing": (sized(b""), "nothing"),
    "nothing at all": (closed(), "before its answer was whole"),
    "HTML": (sized(HTML, kind=b"text/html"), "`<!doctype html><title>Sign in</title>`"),
    "HTML, closed": (closed(HTML, kind=b"text/html"), "text/html"),
    "JSON": (sized(JSON), "application/json"),
    "an error with status 200": (sized(b'{"error": {"message": "no such model"}}'), "no such model"),
    "HTML that is said to be events": (closed(HTML), "before its answer was whole"),
}
NO_WHOLES = {
    "nothing": (sized(b""), "nothing"),
    "nothing at all": (closed(), "nothing"),
    "cut": (sized(JSON, missing=9), "stopped in the middle of an answer"),
    "half, closed": (closed(JSON[:20], kind=b"application/json"), "no JSON"),
    "HTML": (sized(HTML, kind=b"text/html"), "`<!doctype html><title>Sign in</title>`"),
    "other JSON": (sized(b'{"choices": []}'), "no chat completion"),
    "a list": (sized(b"[]"), "no chat completion"),
    "an error with status 200": (sized(b'{"error": {"message": "no such model"}}'), "no such model"),
}


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ask.KEY_VARIABLE, raising=False)


@pytest.mark.parametrize("answer", WHOLE_STREAMS.values(), ids=WHOLE_STREAMS)
def test_a_whole_stream(cli: Cli, answer: bytes) -> None:
    with server(answer) as (url, _):
        assert cli("chat", "hi", "--model", "m", "--url", url) == (0, "half whole\n", "")


@pytest.mark.parametrize(("answer", "words"), CUT_STREAMS.values(), ids=CUT_STREAMS)
def test_half_a_stream_stays_and_is_a_failure(cli: Cli, answer: bytes, words: str) -> None:
    with server(answer) as (url, _):
        result = cli("chat", "hi", "--model", "m", "--url", url)
    assert (result.code, result.out) == (6, "half"), result
    assert result.err.startswith("error: ") and words in result.err


@pytest.mark.parametrize(("answer", "words"), NO_STREAMS.values(), ids=NO_STREAMS)
def test_what_is_no_stream_is_a_failure_that_quotes_it(cli: Cli, answer: bytes, words: str) -> None:
    with server(answer) as (url, _):
        result = cli("chat", "hi", "--model", "m", "--url", url)
    assert (result.code, result.out) == (6, ""), result
    assert result.err.startswith("error: ") and words in result.err


@pytest.mark.parametrize(("answer", "words"), NO_WHOLES.values(), ids=NO_WHOLES)
@pytest.mark.parametrize("how", ["--no-stream", "--json"])
def test_a_whole_answer_that_is_none_is_a_failure(cli: Cli, answer: bytes, words: str, how: str) -> None:
    with server(answer) as (url, _):
        result = cli("chat", "hi", "--model", "m", "--url", url, how)
    said = result.json()["error"]["message"] if how == "--json" else result.err
    assert result.code == 6 and words in said, result
    assert how == "--json" or result.out == ""


@pytest.mark.parametrize("answer", [b"", b"\0\0\0\0", b"220 mail.example ESMTP\r\n"])
def test_what_is_no_answer_of_a_server(cli: Cli, answer: bytes) -> None:
    with server(answer) as (url, _):
        result = cli("chat", "hi", "--model", "m", "--url", url)
    assert (result.code, result.out) == (7, "") and f"nothing answers at {url}" in result.err


def test_a_refusal_that_is_cut_is_shown_as_far_as_it_came(cli: Cli) -> None:
    refusal = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 99\r\n\r\nwe are"
    with server(refusal) as (url, _):
        result = cli("chat", "hi", "--model", "m", "--url", url)
    assert (result.code, result.err) == (7, "error: the server answered 503 Service Unavailable: we are\n")


@pytest.mark.parametrize(
    "models", [b"[]", b'{"data": null}', b'{"data": [{}]}', b'{"data": ["m"]}', b"", HTML, b'{"data": [{"id": null}]}']
)
def test_a_list_of_models_that_is_none_is_reported(cli: Cli, models: bytes) -> None:
    with server(sized(models)) as (url, _):
        result = cli("chat", "hi", "--url", url)
    assert result.code == 6 and "/v1/models" in result.err and "bug of ours" not in result.err


@pytest.mark.parametrize("command", ["chat", "complete"])
def test_what_may_have_no_end_is_not_read_to_it(cli: Cli, command: str) -> None:
    result = cli(command, "--model", "m", "--url", "http://127.0.0.1:9", stdin="y\n" * 2**23 + "y")
    assert (result.code, result.out) == (2, "") and "standard input is larger than 16 MiB" in result.err


@pytest.mark.parametrize(
    ("piped", "sent", "is_warned"),
    [
        ("caf\u00e9\n", "caf\u00e9", False),
        ("\ufeffcaf\u00e9", "caf\u00e9", False),
        ("caf\udce9", "caf\ufffd", True),  # Latin-1, as it comes through a pipe
        ("c\0a\0f\0", "c\0a\0f\0", True),  # UTF-16 without its mark
    ],
)
def test_a_prompt_that_is_no_utf_8_is_reported(cli: Cli, piped: str, sent: str, is_warned: bool) -> None:
    with server(sized(JSON)) as (url, seen):
        result = cli("chat", "--no-stream", "--model", "m", "--url", url, stdin=piped)
    assert (result.code, seen[0]["messages"][0]["content"]) == (0, sent)
    assert ("what was given is not UTF-8" in result.err) == is_warned


def test_no_bound_is_sent_unless_one_is_given(cli: Cli) -> None:
    whole = chunked(event("half whole", finish="stop"), DONE)
    with server(whole, whole) as (url, seen):
        cli("chat", "hi", "--model", "m", "--url", url)
        cli("chat", "hi", "--model", "m", "--url", url, "--max-tokens", "9")
    assert [{name for name in body if "tokens" in name} for body in seen] == [set(), {"max_completion_tokens"}]
    assert seen[1]["max_completion_tokens"] == 9


def test_a_user_and_password_in_an_address_are_refused_and_not_repeated(cli: Cli) -> None:
    result = cli("chat", "hi", "--model", "m", "--url", "http://me:secret-word@127.0.0.1:1")
    assert (result.code, "secret-word" in result.err) == (2, False)


def test_who_waits_for_standard_input_is_informed(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    told: list[str] = []

    def say(text: str) -> None:
        told.append(text)
        os.write(write, b"late")
        os.close(write)

    monkeypatch.setattr(piped, "_PATIENCE_S", 0.01)
    monkeypatch.setattr(console, "say", say)
    with os.fdopen(read) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert piped.text() == "late"
    assert len(told) == 1 and "standard input" in told[0]
