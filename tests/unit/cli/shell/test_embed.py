"""`llama embed`: which texts are sent, and how vectors are printed."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from llama_cli.conversation import vectors
from tests.support.schemas import conform
from tests.support.wire import server, sized

if TYPE_CHECKING:
    from tests.support.command_runner import Cli


def answer(*found: Any) -> bytes:
    data = [{"index": place, "embedding": vector} for place, vector in enumerate(found)]
    return sized(json.dumps({"data": data[::-1], "usage": {"prompt_tokens": 2, "total_tokens": 2}}).encode())


def test_a_vector_a_line(cli: Cli) -> None:
    with server(answer([1.5, 2.0], [3, -4.25])) as (url, seen):
        result = cli("embed", "a", "b", "--model", "m", "--url", url)
    assert result == (0, "[1.5, 2.0]\n[3, -4.25]\n", "")
    assert seen == [{"model": "m", "input": ["a", "b"]}]


def test_json_is_one_document(cli: Cli) -> None:
    packed = base64.b64encode(struct.pack("<2f", 1, 2)).decode()
    for vector, options in ([1.0, 2.0], []), (packed, ["--encoding-format", "base64", "--dimensions", "2"]):
        with server(answer(vector)) as (url, seen):
            result = cli("embed", "a", "--model", "m", "--url", url, "--json", *options)
        conform(result.json(), "embed")
        usage = {"prompt_tokens": 2, "total_tokens": 2}
        assert result.json() == {"model": "m", "dimensions": 2, "embeddings": [vector], "usage": usage}
    assert (seen[0]["encoding_format"], seen[0]["dimensions"]) == ("base64", 2)


def test_lines_of_json_come_batch_by_batch(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "_BATCH", 2)
    with server(answer([1], [2]), sized(b'{"error": {"message": "no more"}}')) as (url, _):
        result = cli("embed", "--lines", "--json", "--model", "m", "--url", url, stdin="a\nb\nc\n")
    *rows, failure = [json.loads(line) for line in result.out.splitlines()]
    assert rows == [
        {"model": "m", "index": 0, "text": "a", "dimensions": 1, "embedding": [1]},
        {"model": "m", "index": 1, "text": "b", "dimensions": 1, "embedding": [2]},
    ]
    for row in rows:
        conform(row, "embed")
    assert (result.code, failure["error"]["message"]) == (6, "no more")


def test_the_first_model_for_it_is_taken(cli: Cli) -> None:
    models = {"data": [{"id": "c", "model_type": "llm"}, {"id": "e", "model_type": "embedding"}]}
    with server(sized(json.dumps(models).encode()), answer([1])) as (url, seen):
        assert cli("embed", "a", "--url", url).code == 0
    assert seen[1]["model"] == "e"
    with server(sized(json.dumps({"data": models["data"][:1]}).encode())) as (url, _):
        assert cli("embed", "a", "--url", url).code == 7


@pytest.mark.parametrize("how", ["pipe", "file", "dash"])
def test_lines_are_texts(cli: Cli, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "_BATCH", 2)
    text = "one\n\ntwo\r\nthree\n"
    (tmp_path / "f").write_text(text)
    given = {"pipe": [], "file": ["--file", str(tmp_path / "f")], "dash": ["--file", "-"]}[how]
    with server(answer([1], [2]), answer([3])) as (url, seen):
        result = cli("embed", *given, "--model", "m", "--url", url, stdin="" if how == "file" else text)
    assert (result.code, result.out) == (0, "[1]\n[2]\n[3]\n") and "1 blank line left out" in result.err
    assert [body["input"] for body in seen] == [["one", "two"], ["three"]]


def test_lines_that_are_no_text_are_told_of_once(cli: Cli) -> None:
    with server(answer(*([1] for _ in range(3)))) as (url, seen):
        result = cli("embed", "--model", "m", "--url", url, stdin="a\n\udcff\n\udcff\n")
    assert result.err.count("not UTF-8") == 1 and seen[0]["input"] == ["a", "\ufffd", "\ufffd"]


def test_what_cannot_be_embedded_is_usage(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"\xff\xfe")
    for arguments in ([], ["a", "--file", "x"], ["--file", str(tmp_path / "none")], ["--file", str(tmp_path / "f")]):
        assert cli("embed", *arguments, "--url", "http://127.0.0.1:9").code == 2


@pytest.mark.parametrize("found", [[], [[1], [2]], [["x"]], ["a b"], [None]])
def test_what_is_no_vector_for_each_text_is_a_failure(cli: Cli, found: list[Any]) -> None:
    with server(answer(*found)) as (url, _):
        result = cli("embed", "a", "--model", "m", "--url", url)
    assert result.code == 6 and "no list of embeddings" in result.err
