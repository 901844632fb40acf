"""The other clients at hand: `llama chat`, and curl."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.stack_home import Home, Stack

pytestmark = pytest.mark.e2e


def curl(*arguments: str) -> str:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    done = subprocess.run(["curl", "-sS", "--max-time", "60", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_chat_answers_a_question(home: Home, stack: Stack, text_model: str) -> None:
    result = home("chat", "--url", stack.url, "--model", text_model, "--max-tokens", "20", "Say hello")
    assert (result.code, result.out.strip() != "") == (0, True), result.err


def test_chat_reads_the_question_from_a_pipe(home: Home, stack: Stack) -> None:
    result = home("chat", "--url", stack.url, "-q", stdin="Say hello\n")
    assert result.code == 0 and result.out.strip(), result.err
    assert result.err == ""


def test_chat_takes_an_argument_and_a_pipe_together(home: Home, stack: Stack) -> None:
    result = home(
        "chat",
        "--url",
        stack.url,
        "-q",
        "--max-tokens",
        "20",
        "Name an animal in this text",
        stdin="The cat sat on the mat.\n",
    )
    assert result.code == 0 and result.out.strip(), result.err


def test_chat_as_json_is_one_document(home: Home, stack: Stack, text_model: str) -> None:
    result = home("chat", "--url", stack.url, "--model", text_model, "--max-tokens", "20", "--json", "Say hello")
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert document["model"] == text_model and document["content"] and document["usage"]["total_tokens"] > 0


def test_chat_with_an_unknown_model_says_which_there_are(home: Home, stack: Stack, text_model: str) -> None:
    result = home("chat", "--url", stack.url, "--model", text_model + "x", "Hello")
    assert result.code == 2 and result.out == ""
    assert f"`{text_model}`" in result.err and "Traceback" not in result.err


def test_chat_answers_with_json_of_a_schema(home: Home, stack: Stack, text_model: str) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 9}}, "required": ["name"]}
    schema["additionalProperties"] = False
    ask = ["chat", "Name an animal", "--schema", json.dumps(schema), "-F", "max_completion_tokens=60"]
    result = home(*ask, "--url", stack.url, "--model", text_model, "--temperature", "0")
    assert result.code == 0, result.err
    assert [*json.loads(result.out)] == ["name"]


def test_chat_goes_on_with_what_was_said(home: Home, stack: Stack, text_model: str, tmp_path: Path) -> None:
    file = tmp_path / "talk.json"
    for _ in range(2):
        how = ["--load", str(file)] if file.exists() else []
        asked = ["chat", "Say hello", "--url", stack.url, "--model", text_model, "--max-tokens", "5", *how]
        assert home(*asked, "--save", str(file)).code == 0
    assert [message["role"] for message in json.loads(file.read_text())["messages"]] == ["user", "assistant"] * 2


def test_a_picture_for_a_model_without_eyes_is_refused_in_the_servers_words(
    home: Home, stack: Stack, text_model: str, tmp_path: Path
) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    asked = ["chat", "What is it?", "--file", str(tmp_path / "picture.png"), "--url", stack.url, "--model", text_model]
    result = home(*asked)
    assert (result.code, result.out) == (1, "") and "image" in result.err


def test_complete_goes_on_with_a_text(home: Home, stack: Stack, text_model: str) -> None:
    ask = ["complete", "The capital of France is", "--url", stack.url, "--max-tokens", "4", "--temperature", "0", "-q"]
    result = home(*ask, "--model", text_model, "--echo")
    assert result.code == 0 and result.out.startswith("The capital of France is "), result.err
    document = json.loads(home(*ask, "--model", text_model, "--json").out)
    assert document["text"] and document["usage"]["completion_tokens"] == 4


def test_embed_prints_a_vector_for_each_line(home: Home, stack: Stack, embedding_model: str) -> None:
    result = home("embed", "--url", stack.url, "-q", stdin="A llama grazes.\nIt rains.\n")
    vectors = [json.loads(line) for line in result.out.splitlines()]
    assert (result.code, len(vectors), {len(vector) for vector in vectors}) == (0, 2, {384}), result.err
    document = json.loads(home("embed", "It rains.", "--url", stack.url, "--json").out)
    assert (document["model"], document["dimensions"]) == (embedding_model, 384)
    assert document["embeddings"][0] == pytest.approx(vectors[1], abs=1e-4)


def test_curl_gets_an_answer_and_a_stream(stack: Stack, text_model: str) -> None:
    url = f"{stack.url}/v1/chat/completions"
    body = {"model": text_model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
    answer = json.loads(curl(url, "-H", "content-type: application/json", "-d", json.dumps(body)))
    assert answer["choices"][0]["message"]["content"]
    stream = curl("-N", url, "-d", json.dumps(body | {"stream": True}))
    events = [line.removeprefix("data: ") for line in stream.splitlines() if line]
    assert events[-1] == "[DONE]" and len(events) > 3
    assert all(json.loads(event)["object"] == "chat.completion.chunk" for event in events[:-1])


def test_curl_without_a_content_type_is_understood(stack: Stack, embedding_model: str) -> None:
    """`curl -d` says `application/x-www-form-urlencoded` unless told otherwise, and people forget to."""
    answer = json.loads(curl(f"{stack.url}/v1/embeddings", "-d", json.dumps({"model": embedding_model, "input": "a"})))
    assert answer["data"][0]["embedding"]
