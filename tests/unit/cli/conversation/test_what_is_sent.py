"""What `llama chat` sends: what was asked for, and no more; files, schemas and earlier conversations."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.schemas import conform
from tests.support.wire import DONE, chunked, event, server, sized

if TYPE_CHECKING:
    from tests.support.command_runner import Cli, Result

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
MODELS = sized(json.dumps({"data": [{"id": "p/first"}, {"id": "p/second"}]}).encode())


def said(content: str, *, finish: str = "stop", **message: Any) -> bytes:
    choice = {"message": {"content": content, **message}, "finish_reason": finish}
    return sized(json.dumps({"choices": [choice], "usage": {"total_tokens": 3}}).encode())


def asked(cli: Cli, *arguments: str, answer: bytes | None = None, stdin: str = "") -> tuple[Result, Any]:
    """The result and the body that came."""
    with server(answer or said("yes")) as (url, seen):
        result = cli("chat", "--no-stream", "--model", "m", "--url", url, *arguments, stdin=stdin)
    return result, seen[0] if seen else None


def test_nothing_is_sent_that_was_not_asked_for(cli: Cli) -> None:
    assert asked(cli, "hi")[1] == {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def test_every_option_is_sent_under_its_name(cli: Cli) -> None:
    options = ["--temperature", "0", "--top-p", "0.5", "--max-tokens", "9", "--seed", "4", "--stop", "a", "--stop", "b"]
    more = ["--reasoning-effort", "low", "-F", "top_k=40", "-F", 'x={"a": [1]}', "-F", "word=plain text", "-s", "be"]
    _, body = asked(cli, "hi", *options, *more)
    assert body == {
        "model": "m",
        "messages": [{"role": "system", "content": "be"}, {"role": "user", "content": "hi"}],
        "temperature": 0,
        "top_p": 0.5,
        "max_completion_tokens": 9,
        "seed": 4,
        "stop": ["a", "b"],
        "reasoning_effort": "low",
        "top_k": 40,
        "x": {"a": [1]},
        "word": "plain text",
    }


@pytest.mark.parametrize(
    ("field", "words"), [("n=2", "`n` cannot be set"), ("model=x", "`--model`"), ("x", "NAME=VALUE")]
)
def test_a_field_that_cannot_be_set_is_usage(cli: Cli, field: str, words: str) -> None:
    result, body = asked(cli, "hi", "-F", field)
    assert (result.code, body) == (2, None) and words in result.err


def test_text_files_stand_before_the_question_under_their_names(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("x\n```\ny\n```")
    _, body = asked(cli, "why?", "--file", str(tmp_path / "a.md"), "--file", "-", stdin="from a pipe\n")
    text = body["messages"][0]["content"]
    assert text == (
        f"`{tmp_path}/a.md`:\n````\nx\n```\ny\n```\n````\n\n`standard input`:\n```\nfrom a pipe\n```\n\nwhy?"
    )


def test_an_image_goes_beside_the_question(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(PNG)
    _, body = asked(cli, "what?", "--file", str(tmp_path / "picture"))
    assert body["messages"][0]["content"] == [
        {"type": "text", "text": "what?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(PNG).decode()}"}},
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("é".encode("latin-1"), "not UTF-8"),
        (b"words and a \0 byte", "null"),
        (b"\x89PNG\r\n\x1a\n".ljust(2**24 + 1), "is larger than 16 MiB\n\nhint: text in UTF-8, images, PDF"),
        (None, "there is no file"),
    ],
)
def test_a_file_that_no_model_can_read_is_usage(cli: Cli, tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "a file (1).x"
    if content is not None:
        file.write_bytes(content)
    result, body = asked(cli, "hi", "--file", str(file))
    assert (result.code, body) == (2, None) and words in result.err and str(file) in result.err


@pytest.mark.parametrize("how", ["literal", "file", "stdin"])
def test_a_schema_is_asked_for_and_its_json_printed(cli: Cli, tmp_path: Path, how: str) -> None:
    schema = {"title": "a name!", "type": "object"}
    (tmp_path / "s.json").write_text(json.dumps(schema))
    given = {"literal": json.dumps(schema), "file": str(tmp_path / "s.json"), "stdin": "-"}[how]
    stdin = json.dumps(schema) if how == "stdin" else ""
    result, body = asked(cli, "hi", "--schema", given, answer=said('{"a":1}'), stdin=stdin)
    assert body["response_format"] == {"type": "json_schema", "json_schema": {"name": "a_name", "schema": schema}}
    assert (result.code, result.out) == (0, '{\n  "a": 1\n}\n')
    result, _ = asked(cli, "hi", "--schema", json.dumps(schema), "--json", answer=said('{"a":1}'))
    conform(result.json(), "chat")
    assert result.json()["parsed"] == {"a": 1}


NAMED = '{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"a":', "no JSON"),
        ('{"a": 7}', "the answer does not fit the schema: `a`: 7 is not of type"),
        ('{"b": "c"}', 'the answer does not fit the schema: "a" is a required property'),
        ("7", "does not fit"),
        ("", "said nothing"),
    ],
)
def test_an_answer_that_does_not_fit_is_a_failure(cli: Cli, content: str, words: str) -> None:
    result, _ = asked(cli, "hi", "--schema", NAMED, answer=said(content, finish="length"))
    assert (result.code, result.out) == (1, "") and words in result.err and "--max-tokens" in result.err
    result, _ = asked(cli, "hi", "--schema", NAMED, "--json", answer=said(content))
    assert (result.code, words in result.json()["error"]["message"]) == (1, True)


def test_what_the_model_reads_first_can_be_a_file(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "be.md").write_text("be\nbrief\n")
    for given, stdin in ((f"@{tmp_path}/be.md", ""), ("@-", "be\nbrief\n")):
        _, body = asked(cli, "hi", "-s", given, stdin=stdin)
        assert body["messages"] == [{"role": "system", "content": "be\nbrief"}, {"role": "user", "content": "hi"}]
    result, body = asked(cli, "hi", "-s", "@nonesuch")
    assert (result.code, body) == (2, None) and "there is no file `nonesuch`" in result.err
    assert asked(cli, "hi", "-s", "@-", "--load", "-")[0].code == 2


@pytest.mark.parametrize(
    "given",
    ["{oops", "nonesuch.json", ".", "[]", '{"type": "strin"}', '{"$ref": "#/none"}', '{"$ref": "https://x.y/z"}'],
)
def test_what_is_no_schema_is_usage(cli: Cli, given: str) -> None:
    result, body = asked(cli, "hi", "--schema", given)
    assert (result.code, body) == (2, None)


def test_thoughts_are_beside_the_answer(cli: Cli) -> None:
    answer = said("yes", reasoning_content="hm")
    assert asked(cli, "hi", answer=answer)[0] == (0, "yes\n", "")
    assert asked(cli, "hi", "--show-reasoning", answer=answer)[0] == (0, "yes\n", "hm\n\n")
    assert asked(cli, "hi", "--json", answer=answer)[0].json()["reasoning"] == "hm"


def test_a_conversation_is_continued(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "talk.json"
    assert asked(cli, "one", "-s", "be", "--save", str(file))[0].code == 0
    kept = json.loads(file.read_text())
    assert [message["role"] for message in kept["messages"]] == ["system", "user", "assistant"]
    assert kept["model"] == "m" and file.stat().st_mode & 0o777 == 0o600
    for how in (["--continue"], ["--load", str(file)]):
        _, body = asked(cli, "two", *how)
        assert [message["content"] for message in body["messages"]] == ["be", "one", "yes", "two"]
    _, body = asked(cli, "three", "--load", "-", "-s", "other", stdin=file.read_text())
    assert [message["content"] for message in body["messages"]] == ["other", "one", "yes", "three"]
    result, _ = asked(cli, "four", "--save", "-")
    assert [message["content"] for message in result.json()["messages"]] == ["four", "yes"]


@pytest.mark.parametrize("content", [{}, {"content": None}, {"content": [{"type": "text", "text": "old"}]}])
def test_what_the_model_reads_first_is_replaced_whatever_it_was(
    cli: Cli, tmp_path: Path, content: dict[str, Any]
) -> None:
    file = tmp_path / "talk.json"
    file.write_text(json.dumps([{"role": "system", **content}, {"role": "user", "content": "one"}]))
    _, body = asked(cli, "two", "--load", str(file), "-s", "new")
    assert [message["content"] for message in body["messages"]] == ["new", "one", "two"]


def test_the_model_that_answered_before_goes_on_where_it_is_served(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "talk.json"
    for before, now in (("p/second", "p/second"), ("gone", "p/first")):
        file.write_text(json.dumps({"model": before, "messages": []}))
        answers = [MODELS, *([MODELS] if now != before else []), said("yes")]
        with server(*answers) as (url, seen):
            cli("chat", "hi", "--no-stream", "--url", url, "--load", str(file))
        assert seen[-1]["model"] == now


def test_what_is_there_is_not_overwritten_unless_it_is_a_conversation(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    result, body = asked(cli, "hi", "--save", str(file))
    assert (result.code, file.read_text()) == (5, "mine") and "no conversation" in result.err
    assert body is None  # no model has worked for nothing
    file.write_text('{"messages": []}')
    assert asked(cli, "hi", "--save", str(file))[0].code == 0


@pytest.mark.parametrize(("name", "code"), [("", 2), (".", 2), ("/dev/full", 2), ("none/talk.json", 1)])
def test_where_nothing_can_be_saved_is_told_before_anything_is_asked(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    result, body = asked(cli, "hi", "--save", name)
    assert (result.code, result.out, body) == (code, "", None) and "bug of ours" not in result.err


def test_standard_input_is_one_thing(cli: Cli) -> None:
    result, body = asked(cli, "hi", "--load", "-", "--schema", "-", stdin="{}")
    assert (result.code, body) == (2, None) and "use `-` once" in result.err


@pytest.mark.parametrize("text", ["", "[1]", '{"messages": 1}', '{"messages": [{"role": "king"}]}', "{"])
def test_what_is_no_conversation_is_usage(cli: Cli, tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_text(text)
    result, body = asked(cli, "hi", "--load", str(tmp_path / "x"))
    assert (result.code, body) == (2, None) and "no conversation" in result.err
    assert cli("chat", "hi", "--continue").code == 2


def test_without_a_home_nothing_is_kept_and_all_else_works(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_HOME", "~nosuchuser/home")
    assert asked(cli, "hi")[0] == (0, "yes\n", "")


def test_each_line_is_a_turn(cli: Cli) -> None:
    with server(said("one"), said("two")) as (url, seen):
        result = cli("chat", "--lines", "--json", "--model", "m", "--url", url, stdin="a\n\nb\n")
    assert [json.loads(line)["content"] for line in result.out.splitlines()] == ["one", "two"]
    assert [message["content"] for message in seen[1]["messages"]] == ["a", "one", "b"]


def test_the_model_that_comes_first_answers(cli: Cli) -> None:
    models = [{"id": "e", "model_type": "embedding"}, {"id": "p/a", "custom_metadata": {"model_type": "llm"}}]
    listed = sized(json.dumps({"data": [*models, {"id": "p/b"}]}).encode())
    with server(listed, chunked(event("yes", finish="stop"), DONE)) as (url, seen):
        assert cli("chat", "hi", "--url", url) == (0, "yes\n", "")
    assert seen[1]["model"] == "p/a"


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (b"400 Bad Request", {"message": "too long"}, 1),
        (b"401 Unauthorized", {"message": "who?"}, 4),
        (b"429 Too Many Requests", {"message": "slowly"}, 6),
        (b"500 Internal Server Error", {"message": "oh"}, 6),
        (b"501 Not Implemented", {"message": "no"}, 1),
        (b"503 Service Unavailable", {"message": "loading", "type": "unavailable_error"}, 7),
        (b"503 Service Unavailable", {"message": "vendor down", "type": "upstream_error"}, 6),
        (b"503 Service Unavailable", {"message": "vendor is full", "type": "server_error"}, 6),
        (b"503 Service Unavailable", {"message": "loading"}, 7),
    ],
)
def test_who_refuses_decides_how_it_ends(cli: Cli, status: bytes, error: dict[str, str], code: int) -> None:
    body = json.dumps({"error": error}).encode()
    result, _ = asked(cli, "hi", answer=b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body))
    assert (result.code, error["message"] in result.err) == (code, True)


@pytest.mark.parametrize(("name", "code", "hint"), [("p/secnd", 2, "did you mean `p/second`"), ("p/first", 1, None)])
def test_a_404_is_usage_only_where_the_name_was_wrong(cli: Cli, name: str, code: int, hint: str | None) -> None:
    said = b'{"error": {"message": "no"}}'
    with server(b"HTTP/1.1 404 Not Found\r\ncontent-length: %d\r\n\r\n%b" % (len(said), said), MODELS) as (url, _):
        result = cli("chat", "hi", "--model", name, "--url", url)
    assert result.code == code and (hint is None or hint in result.err)


@pytest.mark.parametrize(
    ("words", "hint"), [(["chat", "hi", "-m", "e"], "`p/a`"), (["embed", "hi", "-m", "p/a"], "`e`")]
)
def test_instead_of_a_model_that_does_something_else_those_are_named_that_do_it(
    cli: Cli, words: list[str], hint: str
) -> None:
    error = {"message": "it is of another type", "param": "model"}
    refused = b"HTTP/1.1 400 Bad Request\r\ncontent-length: %d\r\n\r\n%b"
    body = json.dumps({"error": error}).encode()
    models = sized(json.dumps({"data": [{"id": "p/a"}, {"id": "e", "model_type": "embedding"}]}).encode())
    with server(refused % (len(body), body), models) as (url, _):
        result = cli(*words, "--url", url)
    assert (result.code, result.err) == (2, f"error: it is of another type\n\nhint: it serves {hint}\n")
