"""`llama stack env`: which variables a run config reads, and which ones that are set nothing reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llama_cli.servers.variables import parse_env_file
from runtime.errors import Problem
from tests.support.command_runner import Cli
from tests.support.schemas import conform

RUN_YAML = """\
version: 2
image_name: mine
providers:
  inference:
  - provider_id: ${env.OPENAI_API_KEY:+openai}
    provider_type: remote::openai
    config:
      api_key: ${env.OPENAI_API_KEY}
      base_url: ${env.OPENAI_BASE_URL:=https://api.openai.com/v1}
  - provider_id: ollama
    provider_type: remote::ollama
    config:
      base_url: http://${env.OLLAMA_NAME}:${env.OLLAMA_PORT_NUMBER:=11434}
      network: {headers: {x-team: "${env.TEAM}"}, proxy: {url: "${env.OUR_PROXY:=}"}}
server:
  port: ${env.LLAMA_STACK_PORT:=8321}
"""
VARIABLES = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OLLAMA_NAME", "OLLAMA_PORT_NUMBER", "TEAM", "OUR_PROXY")


@pytest.fixture
def file(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in (*VARIABLES, "OLLAMA_URL", "OPENAI_APIKEY", "OLLAMA_HOST"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "run.yaml"
    path.write_text(RUN_YAML)
    return str(path)


def rows_of(cli: Cli, *arguments: str) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    document = cli("stack", "env", *arguments, "--json").json()
    conform(document, "stack-env")
    return {row["name"]: row for row in document["variables"]}, document


def test_every_variable_is_told_once_with_what_it_does(cli: Cli, file: str) -> None:
    rows, _ = rows_of(cli, file)
    assert list(rows) == [*VARIABLES, "LLAMA_STACK_PORT"]
    key = rows["OPENAI_API_KEY"]
    assert (key["is_secret"], key["is_required"], key["state"]) == (True, False, "unset")  # its provider is off
    assert key["turns_on"] == ["remote::openai"]
    assert key["used_at"] == [
        {"path": "providers.inference[0].provider_id", "line": 5},
        {"path": "providers.inference[0].config.api_key", "line": 8},
    ]
    assert (rows["OLLAMA_NAME"]["is_required"], rows["OLLAMA_NAME"]["state"]) == (True, "needed")
    assert rows["OLLAMA_NAME"]["purpose"] == "`base_url` of remote::ollama"
    assert (rows["LLAMA_STACK_PORT"]["state"], rows["LLAMA_STACK_PORT"]["default"]) == ("default", "8321")


def test_a_secret_is_never_shown_and_other_values_are(cli: Cli, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setenv("OUR_PROXY", "http://me:hunter2@proxy.example:3128")
    monkeypatch.setenv("OLLAMA_NAME", "there")
    rows, document = rows_of(cli, file)
    assert (rows["OPENAI_API_KEY"]["value"], rows["OPENAI_API_KEY"]["state"]) == (None, "set")
    assert rows["OLLAMA_NAME"]["value"] == "there"
    said = cli("stack", "env", file)
    for text in (json.dumps(document), said.out, said.err, cli("stack", "env", file, "--format", "dotenv").out):
        assert "sk-very-secret" not in text and "hunter2" not in text
    line = next(line for line in said.out.splitlines() if line.startswith("OPENAI_API_KEY\t"))
    assert line.split("\t")[1:4] == ["set", "turns on remote::openai", "(secret)"]


SECRETS = """\
version: 2
distro_name: mine
providers:
  inference:
  - provider_id: vllm
    provider_type: remote::vllm
    config:
      base_url: http://${env.WHO}:${env.WHAT:=hush}@${env.WHERE}/v1?api_key=${env.WHICH}
      api_token: ${env.VLLM_API_TOKEN:=hush}
      network: {headers: {x-team: "${env.TEAM:=hush}"}}
"""


def test_what_stands_in_a_secrets_place_is_a_secret(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("WHO", "WHAT", "WHERE", "WHICH", "VLLM_API_TOKEN", "TEAM")
    monkeypatch.delenv("VLLM_API_TOKEN", raising=False)
    assert cli("stack", "env", "-", "-q", stdin=SECRETS).out.split() == list(names)
    rows = {row["name"]: row for row in cli("stack", "env", "-", "--json", stdin=SECRETS).json()["variables"]}
    assert [name for name in names if rows[name]["is_secret"]] == [name for name in names if name != "WHERE"]
    assert (rows["VLLM_API_TOKEN"]["state"], rows["VLLM_API_TOKEN"]["default"]) == ("default", None)
    for name in names:
        monkeypatch.setenv(name, "hush")
    monkeypatch.setenv("WHERE", "there")
    for more in ([], ["--json"], ["--format", "dotenv"], ["--wide"]):
        assert "hush" not in cli("stack", "env", "-", *more, stdin=SECRETS).out


OFF = """\
version: 2
distro_name: mine
providers:
  inference:
  - provider_id: ${env.ENABLE_OLLAMA:=__disabled__}
    provider_type: remote::ollama
    config: {base_url: "${env.OLLAMA_ADDRESS}"}
  - {provider_id: openai, provider_type: remote::openai}
registered_resources:
  models:
  - {model_id: "${env.OUR_MODEL}", provider_id: "${env.ENABLE_OLLAMA:+ollama}"}
  - {model_id: other, provider_id: openai, provider_model_id: "${env.THEIR_MODEL}"}
"""


def test_what_an_older_switch_turns_on_needs_nothing_while_it_is_off(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def states() -> dict[str, str]:
        rows = cli("stack", "env", "-", "--json", stdin=OFF).json()["variables"]
        assert rows[0]["turns_on"] == ["remote::ollama"]
        return {row["name"]: row["state"] for row in rows}

    names = ("ENABLE_OLLAMA", "OLLAMA_ADDRESS", "OUR_MODEL", "THEIR_MODEL")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    assert states() == dict(zip(names, ("default", "unset", "unset", "needed"), strict=True))
    monkeypatch.setenv("ENABLE_OLLAMA", "ollama")
    assert states() == dict(zip(names, ("set", "needed", "needed", "needed"), strict=True))


def test_what_is_set_and_read_by_nothing_leads_to_what_is_read(
    cli: Cli, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_APIKEY", "OLLAMA_URL", "OPENAI_ORGANIZATION", "TEAMS_WEBHOOK", "EDITOR"):
        monkeypatch.setenv(name, "x")
    _, document = rows_of(cli, file)
    assert document["unread"] == [
        {"name": "OLLAMA_URL", "nearest": [], "providers": ["remote::ollama"]},
        {"name": "OPENAI_APIKEY", "nearest": ["OPENAI_API_KEY"], "providers": []},
    ]
    monkeypatch.setenv("OLLAMA_HOST", "x")
    result = cli("stack", "env", "starter")
    assert "warning: `OPENAI_APIKEY` is set, and template starter does not read it: did you mean" in result.err
    assert "OLLAMA_HOST" not in result.err  # `OLLAMA_URL` is set as well, so nothing is missing


def test_another_word_for_the_same_setting_is_recognised(cli: Cli, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "x")
    _, document = rows_of(cli, "starter")
    assert {"name": "OLLAMA_HOST", "nearest": ["OLLAMA_URL"], "providers": []} in document["unread"]


def test_a_template_says_what_its_variables_are_for(cli: Cli) -> None:
    rows, document = rows_of(cli, "starter")
    assert document["source"] == "template starter"
    assert rows["INFERENCE_MODEL"]["purpose"] == "the chat model that runs here, a name or a path"
    assert cli("stack", "env", "starter", "-q").out.split() == list(rows)


def test_the_file_to_fill_in_is_one_that_env_file_reads(cli: Cli, file: str, tmp_path: Path) -> None:
    text = cli("stack", "env", file, "--format", "dotenv").out
    assert "\n# `base_url` of remote::ollama\nOLLAMA_NAME=\n" in text
    assert "\n#OPENAI_API_KEY=\n" in text and "\n#OLLAMA_PORT_NUMBER=11434\n" in text
    filled = tmp_path / "filled.env"
    filled.write_text(text.replace("\nOLLAMA_NAME=\n", "\nOLLAMA_NAME=box\n").replace("#OPENAI_API", "OPENAI_API"))
    rows, _ = rows_of(cli, file, "--env-file", str(filled))
    assert (rows["OLLAMA_NAME"]["value"], rows["OPENAI_API_KEY"]["state"]) == ("box", "unset")
    assert rows["TEAM"]["state"] == "needed"


ODD = """\
version: 2
distro_name: "${env.ONE:=a b # c}"
container_image: "${env.TWO:=it's \\\\ $HOME}"
external_apis_dir: "${env.THREE:=line\\nFOUR=5}"
additional_pip_packages: ["${env.SIX:=http://u:hush@h}"]
providers: {"a\\nSEVEN=8": [{provider_type: remote::x, config: {"b\\nNINE=10": "${env.ELEVEN:=e}"}}]}
"""


def test_a_default_of_any_letters_can_be_read_back(cli: Cli) -> None:
    text = cli("stack", "env", "-", "--format", "dotenv", stdin=ODD).out
    problems: list[Problem] = []
    filled = text.replace("\n#", "\n").replace("\n ", "\n# ")  # the values uncommented, the words not
    found = parse_env_file("f", filled, {}, problems)
    assert problems == []
    expected = {"ONE": "a b # c", "TWO": "it's \\ $HOME", "THREE": "", "SIX": "", "ELEVEN": "e"}
    assert found == expected
    assert parse_env_file("f", text, {}, problems) == {}


def test_a_run_config_on_standard_input(cli: Cli) -> None:
    result = cli("stack", "env", "-", "-q", stdin=RUN_YAML)
    assert (result.code, result.out.split()) == (0, [*VARIABLES, "LLAMA_STACK_PORT"])
