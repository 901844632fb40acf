"""`llama complete`: what is sent, what is printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.schemas import conform
from tests.support.wire import DONE, chunked, server, sized

if TYPE_CHECKING:
    from tests.support.command_runner import Cli


def piece(text: str, finish: str | None = None) -> bytes:
    return b"data: %b\n\n" % json.dumps({"choices": [{"index": 0, "text": text, "finish_reason": finish}]}).encode()


WHOLE = sized(json.dumps({"choices": [{"text": " Paris", "finish_reason": "length"}], "usage": {"a": 1}}).encode())


def test_the_text_goes_on_as_it_comes(cli: Cli) -> None:
    with server(chunked(piece(" Pa"), piece("ris", "stop"), DONE)) as (url, seen):
        assert cli("complete", "It is", "--model", "m", "--url", url) == (0, " Paris\n", "")
    assert seen[0] == {"model": "m", "prompt": "It is", "stream": True}


def test_what_is_asked_for_is_sent(cli: Cli) -> None:
    options = ["--echo", "--suffix", "!", "--max-tokens", "3", "--seed", "1", "--stop", ".", "-F", "best_of=2"]
    with server(WHOLE) as (url, seen):
        result = cli("complete", "--model", "m", "--url", url, "--no-stream", *options, stdin="  text\n\n")
    assert (result.code, result.out) == (0, " Paris\n") and "--max-tokens allows more" in result.err
    fields = {"echo": True, "suffix": "!", "max_tokens": 3, "seed": 1, "stop": ["."], "best_of": 2}
    assert seen[0] == {"model": "m", "prompt": "  text\n", **fields}


def test_json_is_one_document(cli: Cli) -> None:
    with server(WHOLE) as (url, _):
        result = cli("complete", "It is", "--model", "m", "--url", url, "--json")
    conform(result.json(), "complete")
    assert result.json() == {"model": "m", "text": " Paris", "finish_reason": "length", "usage": {"a": 1}}


def test_a_text_can_be_a_file(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("one\ntwo\n\n")
    for given, stdin in ((str(tmp_path / "f"), ""), ("-", "one\ntwo\n\n")):
        with server(WHOLE) as (url, seen):
            result = cli("complete", "--file", given, "--model", "m", "--url", url, "--no-stream", stdin=stdin)
        assert (result.code, seen[0]["prompt"]) == (0, "one\ntwo\n")
    for words in (["x", "--file", "-"], ["x", "--lines"], ["--file", str(tmp_path / "none")]):
        assert cli("complete", *words, "--url", "http://127.0.0.1:9").code == 2


def test_lines_are_texts(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("one\n\ntwo\n")
    for given, stdin in (([], "one\n\ntwo\n"), (["--file", str(tmp_path / "f")], ""), (["--file", "-"], "one\ntwo")):
        with server(WHOLE, WHOLE) as (url, seen):
            result = cli("complete", "--lines", *given, "--model", "m", "--url", url, "--json", stdin=stdin)
        rows = [json.loads(line) for line in result.out.splitlines()]
        assert ([row["text"] for row in rows], [body["prompt"] for body in seen]) == ([" Paris"] * 2, ["one", "two"])
        for row in rows:
            conform(row, "complete")
    with server(WHOLE, WHOLE) as (url, _):
        result = cli("complete", "--lines", "--model", "m", "--url", url, "--no-stream", stdin="one\ntwo\n")
    assert result.out == " Paris\n Paris\n"


def test_nothing_to_continue_is_usage_and_no_completion_a_failure(cli: Cli) -> None:
    assert cli("complete", "--url", "http://127.0.0.1:9").code == 2
    with server(sized(b'{"choices": []}')) as (url, _):
        result = cli("complete", "x", "--model", "m", "--url", url, "--no-stream")
    assert result.code == 6 and "no completion" in result.err
