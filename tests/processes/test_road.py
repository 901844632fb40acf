"""The whole way of a request: curl, `llama stack run`, and behind it a server that runs a real model.

Each is tried with a llama.cpp server, where this machine can run one, and with a second stack of ours.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.llama_cpp import shipped_gguf
from tests.support.stack_home import Home, Served
from tests.support.upstreams import Upstream, Vendor, llama_cpp_upstream, vendor_server

pytestmark = pytest.mark.e2e

KEY = "key-of-the-upstream"
LONG = {"messages": [{"role": "user", "content": "Write a long story."}], "max_tokens": 1500, "ignore_eos": True}


@pytest.fixture(scope="module")
def served(home: Home, upstream: Upstream) -> Iterator[Served]:
    """The distribution of those who bring an address: nothing is configured, a variable is set."""
    alias = f"gpt-4o-mini=llama-cpp-server/{upstream.model}"
    with home.served("remote", "--alias", alias, LLAMA_CPP_SERVER_URL=upstream.url) as server:
        yield server


@pytest.fixture(scope="module")
def model(upstream: Upstream) -> str:
    """Our name for the upstream's model."""
    return f"llama-cpp-server/{upstream.model}"


def test_an_address_in_the_environment_serves_its_models_without_touching_a_file(
    home: Home, served: Served, model: str
) -> None:
    assert model in served.models()
    assert (
        "${env.LLAMA_CPP_SERVER_URL:+llama-cpp-server}" in (home.folder / "distributions/remote/run.yaml").read_text()
    )
    assert served.health("llama-cpp-server")["state"] == "ready"


def test_what_no_address_turns_on_is_off_and_named(home: Home) -> None:
    with home.served("remote") as without:
        assert without.models() == []
        turned_on_by = {off["provider_type"]: off["variables"] for off in without.ready["off"]}
        assert turned_on_by["remote::llama-cpp-server"] == ["LLAMA_CPP_SERVER_URL"]


def test_curl_streams_through_it(served: Served, model: str) -> None:
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5, "stream": True}
    command = ["curl", "-sSN", "--max-time", "60", f"{served.url}/v1/chat/completions", "-d", json.dumps(body)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    events = [line.removeprefix("data: ") for line in done.stdout.splitlines() if line]
    assert events[-1] == "[DONE]"
    chunks = [json.loads(event) for event in events[:-1]]
    assert {chunk["model"] for chunk in chunks} == {model}
    assert "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


def test_it_answers_what_the_upstream_answers(served: Served, upstream: Upstream, model: str) -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8, "temperature": 0, "logprobs": True}
    theirs = httpx.post(f"{upstream.url}/v1/chat/completions", json=body | {"model": upstream.model}, timeout=60).json()
    ours = served.post("/v1/chat/completions", body | {"model": model})
    assert ours["choices"][0]["message"]["content"] == theirs["choices"][0]["message"]["content"]
    assert ours["model"] == model and ours["usage"]["completion_tokens"] == theirs["usage"]["completion_tokens"]
    assert ours["choices"][0]["logprobs"]["content"] == theirs["choices"][0]["logprobs"]["content"]
    # Fields that we do not know pass too: llama.cpp's `timings`, for one.
    assert set(theirs) == set(ours)


def test_a_client_that_leaves_ends_the_upstream_call(served: Served, upstream: Upstream, model: str) -> None:
    upstream.wait_until_running(0, within_s=20)
    body = LONG | {"model": model, "stream": True}
    with httpx.stream("POST", f"{served.url}/v1/chat/completions", json=body, timeout=60) as answer:
        # Held on to: where the iterator goes, httpx closes the answer.
        parts = answer.iter_text()
        assert "data: " in next(parts)
        upstream.wait_until_running(1, within_s=10)
    # Undisturbed it would go on for 1500 tokens, which is over 20 seconds.
    upstream.wait_until_running(0, within_s=5)


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


def test_an_alias_serves_under_the_name_that_an_application_has_hard_coded(served: Served, upstream: Upstream) -> None:
    assert served.chat("gpt-4o-mini")["model"] == "gpt-4o-mini"
    assert "gpt-4o-mini" in served.models()
    assert served.get("/v1/models/gpt-4o-mini")["provider_resource_id"] == upstream.model


def test_the_models_bare_name_serves_while_it_is_the_only_one(served: Served, upstream: Upstream) -> None:
    assert served.chat(upstream.model)["model"] == upstream.model


def test_an_error_of_the_upstream_is_its_status_and_its_words(served: Served, model: str) -> None:
    error = served.chat(model, "word " * 9000, status=400)
    assert "llama-cpp-server" in error["message"] and "context" in error["message"]


def test_an_env_file_with_an_address_and_a_key_turns_on_openai(home: Home, upstream: Upstream, tmp_path: Path) -> None:
    """The second stack asks for no key and takes any."""
    file = tmp_path / "keys.env"
    file.write_text(f"# an address\nexport OPENAI_BASE_URL={upstream.url}/v1\nOPENAI_API_KEY='{KEY}'\n")
    with home.served("remote", "--env-file", str(file)) as server:
        assert f"openai/{upstream.model}" in server.models()
        assert server.chat(upstream.model)["model"] == upstream.model
        assert server.health("openai")["state"] == "ready"


@pytest.fixture(params=["llama.cpp", "vendor"])
def guarded(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address, with its path, of a server that wants `KEY` and serves `vendor-model`."""
    if request.param == "vendor":
        with vendor_server(Vendor(keys=frozenset({KEY}))) as vendor:
            yield vendor.url
    else:
        serve = request.getfixturevalue("llama_cpp")
        with llama_cpp_upstream(serve, "--api-key", KEY, alias="vendor-model") as server:
            yield f"{server.url}/v1"


def test_a_key_in_an_env_file_is_the_one_that_is_sent(home: Home, guarded: str, tmp_path: Path) -> None:
    file = tmp_path / "keys.env"
    file.write_text(f"OPENAI_BASE_URL={guarded}\nOPENAI_API_KEY='{KEY}'\n")
    with home.served("remote", "--env-file", str(file)) as server:
        assert server.chat("vendor-model")["model"] == "vendor-model"
    file.write_text(file.read_text().replace(KEY, "another"))
    with home.served("remote", "--env-file", str(file)) as refused:
        error = refused.chat("openai/vendor-model", status=502)
        assert error["code"] == "upstream_refused_key"
        assert "key of provider `openai` was not accepted" in error["message"]
        assert "another" not in error["message"]


def test_embeddings_of_a_second_stack_are_its_own(home: Home, own_stack: Served) -> None:
    embedding = own_stack.model_of_type("embedding")
    body = {"input": ["a cat", "a dog"], "encoding_format": "float"}
    with home.served("remote", LLAMA_CPP_SERVER_URL=own_stack.url) as server:
        ours = server.post("/v1/embeddings", body | {"model": f"llama-cpp-server/{embedding}"})
    assert ours["data"] == own_stack.post("/v1/embeddings", body | {"model": embedding})["data"]


def test_each_address_serves_and_one_name_at_several_providers_is_ambiguous(home: Home, upstream: Upstream) -> None:
    addresses = {
        "LLAMA_CPP_SERVER_URL": upstream.url, "VLLM_URL": f"{upstream.url}/v1", "OLLAMA_URL": upstream.url,
    }  # fmt: skip
    with home.served("remote", **addresses) as server:
        error = server.chat(upstream.model, status=400)
        assert error["code"] == "model_ambiguous" and error["param"] == "model"
        for provider_id in ("llama-cpp-server", "vllm", "ollama"):
            model = f"{provider_id}/{upstream.model}"
            assert f"`{model}`" in error["message"]
            assert server.chat(model)["model"] == model


def test_a_gguf_of_ones_own_is_served_by_its_file_name(home: Home, tmp_path: Path) -> None:
    model = tmp_path / "my-model.gguf"
    shutil.copy(shipped_gguf(), model)
    with home.served("ci-tests", "--model", str(model)) as server:
        assert "meta-reference/my-model" in server.models()
        assert server.chat("my-model")["choices"][0]["message"]["content"]


def test_a_model_that_is_not_there_is_said_before_anything_starts(home: Home, tmp_path: Path) -> None:
    result = home("stack", "run", "ci-tests", "--port", "0", "--model", str(tmp_path / "nothing.gguf"))
    assert result.code != 0 and "nothing.gguf" in result.err and "Traceback" not in result.err
