"""The whole way of a request: curl, `llama stack run` in a home of its own, and a real llama.cpp server behind it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.stack_home import Home, Served
from tests.support.upstreams import LlamaCpp, llama_cpp_server, shipped_gguf

pytestmark = [pytest.mark.e2e, pytest.mark.llamacpp]

KEY = "key-of-the-upstream"
MODEL = "llama-cpp-server/SmolLM2-135M"
LONG = {"messages": [{"role": "user", "content": "Write a long story."}], "max_tokens": 1500, "ignore_eos": True}


@pytest.fixture(scope="module")
def upstream() -> Iterator[LlamaCpp]:
    with llama_cpp_server() as server:
        yield server


@pytest.fixture(scope="module")
def served(home: Home, upstream: LlamaCpp) -> Iterator[Served]:
    """The distribution of those who bring an address: nothing is configured, a variable is set."""
    with home.served("remote", "--alias", f"gpt-4o-mini={MODEL}", LLAMA_CPP_SERVER_URL=upstream.url) as server:
        yield server


def test_an_address_in_the_environment_serves_its_models_without_touching_a_file(home: Home, served: Served) -> None:
    assert MODEL in served.models()
    assert (
        "${env.LLAMA_CPP_SERVER_URL:+llama-cpp-server}" in (home.folder / "distributions/remote/run.yaml").read_text()
    )
    assert served.health("llama-cpp-server")["state"] == "ready"
    with home.served("remote") as without:
        assert without.models() == []
        turned_on_by = {off["provider_type"]: off["variables"] for off in without.ready["off"]}
        assert turned_on_by["remote::llama-cpp-server"] == ["LLAMA_CPP_SERVER_URL"]


def test_curl_streams_through_it(served: Served) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5, "stream": True}
    command = ["curl", "-sSN", "--max-time", "60", f"{served.url}/v1/chat/completions", "-d", json.dumps(body)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    events = [line.removeprefix("data: ") for line in done.stdout.splitlines() if line]
    assert events[-1] == "[DONE]"
    chunks = [json.loads(event) for event in events[:-1]]
    assert {chunk["model"] for chunk in chunks} == {MODEL}
    assert "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


def test_it_answers_what_the_upstream_answers(served: Served, upstream: LlamaCpp) -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8, "temperature": 0, "logprobs": True}
    theirs = httpx.post(f"{upstream.url}/v1/chat/completions", json=body | {"model": "SmolLM2-135M"}, timeout=60).json()
    ours = served.post("/v1/chat/completions", body | {"model": MODEL})
    assert ours["choices"][0]["message"]["content"] == theirs["choices"][0]["message"]["content"]
    assert ours["model"] == MODEL and ours["usage"]["completion_tokens"] == theirs["usage"]["completion_tokens"]
    # Fields that we do not know pass in both directions.
    assert ours["timings"] and set(theirs) == set(ours)


def test_a_client_that_leaves_ends_the_upstream_call(served: Served, upstream: LlamaCpp) -> None:
    upstream.wait_for_busy_slots(0, within_s=20)
    body = LONG | {"model": MODEL, "stream": True}
    with httpx.stream("POST", f"{served.url}/v1/chat/completions", json=body, timeout=60) as answer:
        # Held on to: where the iterator goes, httpx closes the answer.
        parts = answer.iter_text()
        assert "data: " in next(parts)
        upstream.wait_for_busy_slots(1, within_s=10)
    # Undisturbed it would go on for 1500 tokens, which is over 20 seconds.
    upstream.wait_for_busy_slots(0, within_s=5)


def test_a_client_that_leaves_before_an_answer_in_one_piece_ends_the_call_too(home: Home) -> None:
    """llama-server itself does not notice this, so the upstream is one that waits for its caller to leave."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(20)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        with home.served("remote", VLLM_URL=address) as server:
            # Its health and model list are asked for meanwhile; the chat is the connection that posts.
            command = [
                "curl",
                "-sS",
                f"{server.url}/v1/chat/completions",
                "-d",
                json.dumps({**LONG, "model": "vllm/m"}),
            ]
            client = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                connection = posted_to(listening)
            finally:
                client.kill()
                client.wait()
            with connection:
                while connection.recv(65536):
                    pass


def posted_to(listening: socket.socket) -> socket.socket:
    """The first connection on which something is posted. Everything else is answered with 404."""
    while True:
        connection, _ = listening.accept()
        connection.settimeout(20)
        if connection.recv(65536).startswith(b"POST"):
            return connection
        connection.sendall(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        connection.close()


def test_an_alias_serves_under_the_name_that_an_application_has_hard_coded(served: Served) -> None:
    assert served.chat("gpt-4o-mini")["model"] == "gpt-4o-mini"
    assert "gpt-4o-mini" in served.models()
    assert served.get("/v1/models/gpt-4o-mini")["provider_resource_id"] == "SmolLM2-135M"


def test_the_models_bare_name_serves_while_it_is_the_only_one(served: Served) -> None:
    assert served.chat("SmolLM2-135M")["model"] == "SmolLM2-135M"


def test_an_error_of_the_upstream_is_its_status_and_its_words(served: Served) -> None:
    error = served.chat(MODEL, "word " * 6000, status=400)
    assert "llama-cpp-server" in error["message"] and "context" in error["message"]


def test_an_env_file_and_a_key_open_the_same_upstream_as_openai(home: Home, tmp_path: Path) -> None:
    with llama_cpp_server("--api-key", KEY, alias="gpt-4o-mini") as guarded:
        file = tmp_path / "keys.env"
        file.write_text(f"# an address\nexport OPENAI_BASE_URL={guarded.url}/v1\nOPENAI_API_KEY='{KEY}'\n")
        with home.served("remote", "--env-file", str(file)) as server:
            assert "openai/gpt-4o-mini" in server.models()
            assert server.chat("gpt-4o-mini")["model"] == "gpt-4o-mini"
            assert server.health("openai")["state"] == "ready"
        file.write_text(file.read_text().replace(KEY, "another"))
        with home.served("remote", "--env-file", str(file)) as refused:
            error = refused.chat("openai/gpt-4o-mini", status=401)
            assert "key of provider `openai` was not accepted" in error["message"]
            assert "another" not in error["message"]


def test_one_name_at_two_providers_is_ambiguous_and_both_are_told(home: Home, upstream: LlamaCpp) -> None:
    both = {"LLAMA_CPP_SERVER_URL": upstream.url, "VLLM_URL": f"{upstream.url}/v1"}
    with home.served("remote", **both) as server:
        error = server.chat("SmolLM2-135M", status=400)
        assert error["code"] == "model_ambiguous" and error["param"] == "model"
        assert f"`{MODEL}`" in error["message"] and "`vllm/SmolLM2-135M`" in error["message"]
        assert server.chat("vllm/SmolLM2-135M")["model"] == "vllm/SmolLM2-135M"


def test_a_gguf_of_ones_own_is_served_by_its_file_name(home: Home, tmp_path: Path) -> None:
    model = tmp_path / "my-model.gguf"
    shutil.copy(shipped_gguf(), model)
    with home.served("ci-tests", "--model", str(model)) as server:
        assert "meta-reference/my-model" in server.models()
        assert server.chat("my-model")["choices"][0]["message"]["content"]


def test_a_model_that_is_not_there_is_said_before_anything_starts(home: Home, tmp_path: Path) -> None:
    result = home("stack", "run", "ci-tests", "--port", "0", "--model", str(tmp_path / "nothing.gguf"))
    assert result.code != 0 and "nothing.gguf" in result.err and "Traceback" not in result.err
