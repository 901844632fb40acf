"""What a user gets for a mistake: which, why, what to do, an exit code that means it, and nothing left behind."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.support.llama_cpp import shipped_gguf
from tests.support.stack_home import Home
from tests.support.tiny_model import write_tiny_chat_model

pytestmark = pytest.mark.e2e


def test_a_taken_port_is_exit_5_and_leaves_no_server(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = home("stack", "run", "remote", "--port", port)
    assert result.code == 5 and f"port {port}" in result.err and "--port 0" in result.err, result.err
    assert f"http://127.0.0.1:{port}" not in [row["url"] for row in json.loads(home("stack", "ps", "--json").out)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "version: 2\ndistro_name: wrong\nprovders: {}\nserver:\n  port: lots\n",
            (":3: provders", "did you mean `providers`", ":5: server.port", "`lots`"),
        ),
        (
            "version: 2\ndistro_name: wrong\nproviders:\n  inference:\n"
            "  - {provider_id: a, provider_type: remote::opnai}\n"
            "  - {provider_id: b, provider_type: remote::vllm, config: {bas_url: x}}\n",
            ("`remote::openai`", "bas_url"),
        ),
    ],
    ids=["shape", "providers"],
)
def test_a_wrong_run_config_is_exit_3_with_its_problems_before_anything_is_installed(
    home: Home, tmp_path: Path, text: str, told: tuple[str, ...]
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(text)
    result = home("stack", "run", str(file))
    assert result.code == 3 and "Traceback" not in result.err, result.err
    for words in told:
        assert words in result.err, f"{words} is not in {result.err}"
    assert not (home.folder / "distributions/wrong/.venv").exists()


def test_corrupt_weights_are_named_and_the_rest_goes_on(home: Home, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    with shipped_gguf().open("rb") as whole:
        cut.write_bytes(whole.read(100_000))
    with home.served("starter", INFERENCE_MODEL=str(cut)) as server:
        embedding = server.model_of_type("embedding")
        assert server.post("/v1/embeddings", {"model": embedding, "input": "a"})["data"][0]["embedding"]
        error = server.chat("meta-reference/cut", status=503)
        health = server.health("meta-reference")
        assert health["status"] == "Error"
        for words in (error["message"], health["message"]):
            assert str(cut) in words and "GGUF" in words
    refused = home("stack", "run", "ci-tests", "--port", "0", "--model", str(cut))
    assert refused.code == 7 and str(cut) in refused.err and "Traceback" not in refused.err, refused.err


def test_a_hugging_face_folder_of_ones_own_is_served_by_its_name(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "my-tiny-model"
    folder.mkdir()
    write_tiny_chat_model(folder)
    with home.served("ci-tests", "--model", str(folder)) as server:
        assert "meta-reference/my-tiny-model" in server.models()
        assert server.chat("my-tiny-model")["usage"]["completion_tokens"] <= 8
