"""llama-stack's own Python clients over HTTP, each in an environment of its own: the one of 0.7, and the last that
runs on Python 3.11.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llama_cli.packages.pip_settings import read_settings
from llama_cli.packages.uv import run_uv
from tests.support.stack_home import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.network_registry]

CALLS = Path(__file__).with_name("llama_stack_client_calls.py")
CLIENTS = {
    "0.7.5": ((3, 12), []),
    # It imports what it does not ask for.
    "0.2.12": ((3, 11), ["fire", "requests"]),
}


def interpreter(wanted: tuple[int, int]) -> str | None:
    """The path of a Python that really runs and is `wanted` or newer: this one, one on PATH, or one of pyenv's.

    pyenv puts a shim on PATH for each version it has and refuses to run those that are not chosen.
    """
    minor = [f"{wanted[0]}.{wanted[1] + step}" for step in range(4)]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    candidates = [
        sys.executable,
        *(str(Path(folder, f"python{version}")) for version in minor for folder in os.get_exec_path()),
        *(str(path) for version in minor for path in sorted(pyenv.glob(f"{version}.*/bin/python"))),
    ]
    for candidate in candidates:
        if not Path(candidate).is_file():
            continue
        code = f"import sys; print(sys.executable, sys.version_info[:2] >= {wanted}, sep='\\n')"
        answer = subprocess.run([candidate, "-I", "-c", code], capture_output=True, text=True, check=False)
        if answer.returncode == 0 and answer.stdout.splitlines()[1] == "True":
            return answer.stdout.splitlines()[0]
    return None


@pytest.fixture(scope="module", params=list(CLIENTS))
def told(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, note: Callable[[str], None],
    stack: Stack, text_model: str, embedding_model: str,
) -> dict[str, Any]:  # fmt: skip
    """What one client was told, by name of the call."""
    client = request.param
    wanted, beside = CLIENTS[client]
    python = interpreter(wanted)
    if python is None:
        pytest.skip(f"llama-stack-client {client} needs a Python >= {wanted[0]}.{wanted[1]}, and none is here")
    folder = tmp_path_factory.mktemp("client")
    settings = read_settings()

    def uv(*arguments: str) -> None:
        run_uv(arguments, doing=f"install llama-stack-client {client}", folder=folder, environment=settings.environment)

    uv("venv", "--quiet", "--python", python, str(folder / "venv"))
    own_python = str(folder / "venv/bin/python")
    uv("pip", "install", "--quiet", "--python", own_python, *settings.arguments, *settings.resolve_arguments,
       f"llama-stack-client=={client}", *beside)  # fmt: skip
    command = [own_python, "-I", str(CALLS), stack.url, text_model, embedding_model]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr[-3000:]
    answers: dict[str, Any] = json.loads(done.stdout)
    note(f"llama-stack-client {answers['client']} ran on Python {answers['python']}")
    return answers


def test_models_are_what_this_client_understands(told: dict[str, Any], text_model: str, embedding_model: str) -> None:
    models = {model["identifier"]: model for model in told["models"]}
    assert {text_model, embedding_model} <= models.keys()
    assert models[text_model]["provider_id"] == text_model.partition("/")[0]
    assert models[embedding_model]["metadata"]["embedding_dimension"] == len(told["embeddings"]["data"][0]["embedding"])
    assert told["model"]["identifier"] == text_model


def test_chat_is_the_same_streamed_and_whole(told: dict[str, Any], text_model: str) -> None:
    said = told["chat"]["choices"][0]["message"]["content"]
    assert said and told["chat"]["model"] == text_model
    parts = [choice["delta"].get("content") or "" for chunk in told["stream"] for choice in chunk["choices"]]
    assert "".join(parts) == said
    assert told["completion"]["choices"][0]["text"]
    assert [row["index"] for row in told["embeddings"]["data"]] == [0, 1]


def test_the_stack_describes_itself(told: dict[str, Any]) -> None:
    assert told["health"]["status"] == "OK" and told["version"]["version"]
    assert told["provider"]["provider_id"] == told["providers"][0]["provider_id"]
    assert all(set(provider["health"]) >= {"status", "message"} for provider in told["providers"])
    assert {"/v1/chat/completions", "/v1/models"} <= {route["route"] for route in told["routes"]}


def test_a_registered_name_serves_until_it_is_removed(told: dict[str, Any]) -> None:
    assert told["registered"]["identifier"] == "own-name"
    assert told["chat_by_own_name"]["model"] == "own-name"
    assert told["conflict"]["error"]["code"] == "conflict" and "`own-name`" in told["conflict"]["error"]["message"]
    assert told["not_found"]["error"]["code"] == "model_not_found"
