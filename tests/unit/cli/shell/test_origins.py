"""`llama stack show --resolved`: each value with where it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.command_runner import Cli
from tests.support.schemas import conform

RUN_YAML = """\
version: 2
image_name: mine
apis: [inference]
providers:
  inference:
  - provider_id: ${env.GROQ_API_KEY:+groq}
    provider_type: remote::groq
  - provider_id: meta-reference
    provider_type: inline::meta-reference
    config:
      model: ${env.INFERENCE_MODEL:=SmolLM2-135M-Instruct}
      max_batch_size: ${env.BATCH}
  - provider_id: openai
    provider_type: remote::openai
    config:
      api_key: sk-very-secret
      network: {timeout: 30, headers: {x-team: hush}}
server:
  port: 8400
  cors: true
"""


@pytest.fixture
def file(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("GROQ_API_KEY", "INFERENCE_MODEL", "SQLITE_STORE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BATCH", "4")
    (tmp_path / "run.yaml").write_text(RUN_YAML)
    return str(tmp_path / "run.yaml")


def resolved(cli: Cli, *arguments: str) -> dict[str, Any]:
    document = cli("stack", "show", "--resolved", *arguments, "--json").json()
    conform(document, "stack-show")
    rows: dict[str, Any] = document["resolved"]
    return rows


def origin(kind: str, *variables: str, line: int | None = None, option: str | None = None) -> dict[str, Any]:
    return {"kind": kind, "variables": list(variables), "line": line, "option": option}


def test_each_value_has_its_origin(cli: Cli, file: str) -> None:
    rows = resolved(cli, file)
    own = "providers.inference[0].config"
    assert rows["distro_name"] == {"value": "mine", "origin": origin("file", line=2)}  # under its older name
    assert rows["server.port"] == {"value": 8400, "origin": origin("file", line=19)}
    assert rows["server.host"] == {"value": "127.0.0.1", "origin": origin("built-in")}
    assert rows["server.cors.max_age"]["origin"] == origin("file", line=20)  # `true` stands for all of it
    assert rows[f"{own}.max_batch_size"] == {"value": 4, "origin": origin("environment", "BATCH", line=12)}
    assert rows[f"{own}.model"]["origin"] == origin("variable default", "INFERENCE_MODEL", line=11)
    assert rows[f"{own}.device"] == {"value": "auto", "origin": origin("built-in")}
    assert rows["storage.backends.kv_default.type"]["origin"] == origin("built-in")


def test_what_stands_for_an_option_comes_before_the_file(cli: Cli, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_STACK_PORT", "tcp://10.0.0.1:8321")  # as Kubernetes does: no port
    assert resolved(cli, file)["server.port"]["value"] == 8400
    monkeypatch.setenv("OGX_PORT", "8500")
    assert resolved(cli, file)["server.port"] == {"value": 8500, "origin": origin("environment", "OGX_PORT")}
    typed = resolved(cli, file, "--port", "8600")["server.port"]
    assert typed == {"value": 8600, "origin": origin("command line", option="--port")}


def test_a_second_model_is_of_the_command_line_and_moves_no_origin(cli: Cli, file: str, tmp_path: Path) -> None:
    models = [str(tmp_path / name) for name in ("one", "two")]
    for model in models:
        Path(model).mkdir()
    rows = resolved(cli, file, "--model", models[0], "--model", models[1])
    path = "providers.inference"
    assert rows[f"{path}[0].provider_id"]["origin"] == origin("file", line=8)
    assert rows[f"{path}[1].provider_id"]["origin"] == origin("command line", option="--model")
    assert rows[f"{path}[1].config.model"]["value"] == models[1]
    assert rows[f"{path}[2].provider_id"] == {"value": "openai", "origin": origin("file", line=13)}


def test_what_is_rendered_has_no_lines_of_a_file(cli: Cli, tmp_path: Path) -> None:
    build = tmp_path / "build.yaml"
    build.write_text("name: old\ndistribution_spec:\n  providers:\n    inference: remote::ollama\n")
    for target, what in (("starter", "template starter"), (str(build), str(build))):
        rows = resolved(cli, target)
        assert {row["origin"]["line"] for row in rows.values()} == {None}
        assert rows["version"]["origin"] == origin("template")
        assert f"\nversion: 2  # {what}\n" in cli("stack", "show", target, "--resolved").out
        used = cli("stack", "env", target, "--json").json()["variables"]
        assert {place["line"] for variable in used for place in variable["used_at"]} == {None}


def test_a_secret_is_masked_and_its_origin_is_not(cli: Cli, file: str) -> None:
    rows = resolved(cli, file)
    other = "providers.inference[1].config"
    assert rows[f"{other}.api_key"] == {"value": "********", "origin": origin("file", line=16)}
    assert rows[f"{other}.network.timeout.connect"]["origin"] == origin("file", line=17)
    text = cli("stack", "show", file, "--resolved").out
    assert "sk-very-secret" not in text and "hush" not in text


def test_the_command_line_comes_first(cli: Cli, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERENCE_MODEL", "elsewhere")
    rows = resolved(cli, file, "--port", "9000", "--model", "SmolLM2-135M-Instruct", "--env", "BATCH=5")
    own = "providers.inference[0].config"
    assert rows["server.port"] == {"value": 9000, "origin": origin("command line", option="--port")}
    assert rows[f"{own}.model"] == {
        "value": "SmolLM2-135M-Instruct",
        "origin": origin("command line", option="--model"),
    }
    assert rows[f"{own}.max_batch_size"]["value"] == 5


def test_a_template_is_an_origin_until_it_is_a_file(cli: Cli, file: str) -> None:
    rows = resolved(cli, "starter")
    assert rows["version"]["origin"] == origin("template")
    folder = cli.home / "distributions" / "starter"
    folder.mkdir(parents=True)
    (folder / "run.yaml").write_text(RUN_YAML.replace("mine", "starter"))
    assert resolved(cli, "starter")["version"]["origin"] == origin("file", line=1)


def test_what_is_printed_is_the_same_config_as_yaml(cli: Cli, file: str) -> None:
    result = cli("stack", "show", file, "--resolved")
    assert (result.code, result.err) == (0, "warning: `image_name` (line 2): this is now called `distro_name`\n")
    assert "\n  port: 8400  # line 19\n" in result.out
    assert "\n      max_batch_size: 4  # from BATCH, line 12\n" in result.out
    assert "\n      model: SmolLM2-135M-Instruct  # INFERENCE_MODEL is not set, line 11\n" in result.out
    plain = yaml.safe_load(cli("stack", "show", file).out)
    shown = yaml.safe_load(result.out)
    assert shown["server"] == plain["server"] and shown["storage"] == plain["storage"]
    assert shown["providers"]["inference"][0]["config"]["model"] == "SmolLM2-135M-Instruct"
    assert shown["providers"]["inference"][1]["config"]["network"]["headers"] == {"x-team": "********"}
