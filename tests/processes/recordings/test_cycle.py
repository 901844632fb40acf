"""An application's way with recordings: they are made with a real model, replayed without it, miss what has changed,
and are made anew.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack_home import Home, Result
from tests.support.upstreams import Upstream

pytestmark = pytest.mark.e2e

RUN_YAML = """\
version: 2
distro_name: recorded
apis: [inspect, inference, responses]
providers:
  inference:
  - provider_id: ${env.UPSTREAM_URL:+upstream}
    provider_type: remote::openai
    config: {base_url: "${env.UPSTREAM_URL:=}", api_key: "${env.UPSTREAM_API_KEY:=}"}
"""
KEY = "sk-upstream-canary-0123456789"
# An application: a chat, a stream and a response, whose ids and times it prints.
APPLICATION = """
import json, os, sys
from openai import OpenAI

client, word, model = OpenAI(max_retries=0), sys.argv[1], os.environ["MODEL"]
messages = [{"role": "user", "content": f"Say the word\\n{word}\\nand nothing else, since you were asked for no more."}]
few = {"max_tokens": 12, "temperature": 0}
chat = client.chat.completions.create(model=model, messages=messages, **few)
stream = client.chat.completions.create(model=model, messages=messages, stream=True, **few)
pieces = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
response = client.responses.create(model=model, input=messages[0]["content"], max_output_tokens=12, temperature=0)
print(json.dumps({
    "said": [chat.choices[0].message.content, pieces, response.output_text],
    "made": [chat.id, response.id, response.created_at],
}))
"""


class Application:
    """It runs with a stack of its own. target: what is served; model: what is asked; variables: of the stack."""

    def __init__(self, home: Home, target: str, model: str, **variables: str) -> None:
        self._home, self._target, self._model, self._variables = home, target, model, variables

    def __call__(self, *options: str, word: str = "llama", **variables: str) -> Result:
        command = [sys.executable, "-c", APPLICATION, word]
        given = {"MODEL": self._model, **self._variables, **variables}
        return self._home("stack", "exec", self._target, "-q", *options, "--", *command, **given)


def answered(result: Result) -> Any:
    assert result.code == 0, result.err
    return json.loads(result.out)


def goes_round(application: Application, recordings: Path, **without: str) -> None:
    """without: the variables of a stack that cannot ask anybody."""
    recorded = answered(application("--record", str(recordings), "--wait", "settled"))
    replayed = answered(application("--replay", str(recordings), **without))
    assert replayed["said"] == recorded["said"]
    changed = application("--replay", str(recordings), word="alpaca", **without)
    assert changed.code != 0 and "was not recorded as it is asked now" in changed.err
    assert "Say the word\\nllama" in changed.err and "Say the word\\nalpaca" in changed.err
    anew = answered(application("--record-if-missing", str(recordings), "--wait", "settled", word="alpaca"))
    assert answered(application("--replay", str(recordings), word="alpaca", **without))["said"] == anew["said"]
    again = answered(application("--replay", str(recordings), **without))
    assert again == replayed, "ids and times are those of each replay"
    everything = "".join(path.read_text() for path in recordings.rglob("*.json"))
    assert KEY not in everything
    assert '"alpaca",' in everything, "a text of several lines is written line by line"


def test_a_model_of_another_server_is_recorded_and_replayed_without_it(
    home: Home, upstream: Upstream, tmp_path: Path
) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(RUN_YAML)
    asking = {"UPSTREAM_URL": f"{upstream.url}/v1", "UPSTREAM_API_KEY": KEY}
    application = Application(home, str(config), f"upstream/{upstream.model}", **asking)
    goes_round(application, tmp_path / "recordings", UPSTREAM_URL="", UPSTREAM_API_KEY="")


@pytest.mark.smollm2
def test_the_embedded_model_is_recorded_and_replayed_where_it_is_not_installed(home: Home, tmp_path: Path) -> None:
    application = Application(home, "ci-tests", "meta-reference/SmolLM2-135M-Instruct")
    goes_round(application, tmp_path / "recordings")
    packages = home.folder / "distributions/ci-tests/replay/.venv/lib"
    installed = {path.name for path in packages.glob("python*/site-packages/*")}
    assert "runtime" in installed and not installed & {"torch", "transformers", "chromadb", "sentence_transformers"}


def test_the_variables_of_llama_stack_choose_the_same(home: Home, tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(RUN_YAML)
    older = {"LLAMA_STACK_TEST_RECORDING_DIR": str(tmp_path / "none"), "MODEL": "m"}
    command = ("stack", "exec", str(config), "--", "true")
    nothing = home(*command, LLAMA_STACK_TEST_INFERENCE_MODE="replay", **older)
    assert nothing.code == 125 and f"there are no recordings at `{tmp_path / 'none'}`" in nothing.err
    wrong = home(*command, LLAMA_STACK_TEST_INFERENCE_MODE="rewind", **older)
    assert wrong.code == 125 and "`LLAMA_STACK_TEST_INFERENCE_MODE` is `rewind`" in wrong.err
