"""`llama stack validate`: every problem of every file at once, in the forms that people and pipelines read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from runtime.config.template import template_names
from tests.support.command_runner import Cli
from tests.support.schemas import conform

WRONG = """\
version: 2
image_name: mine
apis: [infrence]
providers:
  inference:
  - provider_id: ollama
    provider_type: remote::olama
    config: {base_url: "${env.OLLAMA_UR}"}
  - provider_id: groq
    provider_type: remote::groq
    config: {api_keey: "x|y"}
server: {prt: 1}
"""
NEEDS = """\
version: 2
distro_name: mine
providers:
  inference:
  - provider_id: openai
    provider_type: remote::openai
    config: {api_key: "${env.NO_SUCH_KEY}"}
"""

SARIF = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "minItems": 1,
            "items": {
                "required": ["tool", "results"],
                "additionalProperties": False,
                "properties": {
                    "tool": {
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "required": ["name", "rules"],
                                "properties": {
                                    "rules": {
                                        "uniqueItems": True,
                                        "items": {
                                            "required": ["id", "shortDescription", "fullDescription", "help"],
                                            "additionalProperties": {"required": ["text"]},
                                            "properties": {"id": {}, "defaultConfiguration": {"required": ["level"]}},
                                        },
                                    }
                                },
                            }
                        },
                    },
                    "results": {
                        "items": {
                            "required": ["ruleId", "message", "locations"],
                            "additionalProperties": False,
                            "properties": {
                                "ruleId": {"type": "string"},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": {"required": ["text"], "properties": {"text": {"minLength": 1}}},
                                "locations": {
                                    "items": {
                                        "required": ["physicalLocation"],
                                        "properties": {
                                            "physicalLocation": {
                                                "required": ["artifactLocation", "region"],
                                                "properties": {
                                                    "artifactLocation": {
                                                        "properties": {
                                                            "uri": {"type": "string", "format": "uri-reference"}
                                                        }
                                                    },
                                                    "region": {
                                                        "required": ["startLine"],
                                                        "properties": {"startLine": {"minimum": 1}},
                                                    },
                                                },
                                            }
                                        },
                                    }
                                },
                            },
                        }
                    },
                },
            },
        },
    },
}
"""What sarif-schema-2.1.0.json asks of the parts that we write, and GitHub of those that may be left out."""


@pytest.fixture
def wrong(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("OLLAMA_UR", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("wrong.yaml").write_text(WRONG)
    Path("needs.yaml").write_text(NEEDS)
    return "wrong.yaml"


def document(cli: Cli, *arguments: str, code: int) -> Any:
    result = cli("stack", "validate", *arguments, "--json")
    assert (result.code, result.err) == (code, "")
    conform(result.json(), "stack-validate")
    return result.json()


def test_every_problem_and_warning_is_told_with_its_line(cli: Cli, wrong: str) -> None:
    result = cli("stack", "validate", wrong)
    assert result.code == 3
    assert result.out.splitlines() == [
        "wrong.yaml:3: apis[0]: there is no API `infrence` (did you mean `inference` or `earlier_inference`?)",
        "wrong.yaml:6: providers.inference[0].provider_type: `remote::olama` is not a provider of inference "
        "(did you mean `remote::ollama`?)",
        "wrong.yaml:11: providers.inference[1].config.api_keey: unknown key `api_keey` "
        "(did you mean `api_key` or `api_token`?)",
        "wrong.yaml:12: server.prt: unknown key `prt` (did you mean `port`?)",
        "wrong.yaml:8: warning: providers.inference[0].config.base_url: `OLLAMA_UR` is not set, and a server needs it "
        "(did you mean `OLLAMA_URL`?)",
        "wrong.yaml:2: warning: image_name: this is now called `distro_name`",
    ]
    assert result.err == "4 problems, 2 warnings in 1 run config\n"


def test_several_at_once(cli: Cli, wrong: str) -> None:
    found = document(cli, wrong, "starter", "-", code=3)  # what is on standard input is empty
    assert [(file["file"], file["is_valid"]) for file in found["files"]] == [
        ("wrong.yaml", False),
        ("template starter", True),
        ("standard input", False),
    ]
    assert found["files"][0]["problems"][0]["line"] == 3
    assert cli("stack", "validate", wrong, "starter", "-q").out == "wrong.yaml\n"


def test_one_that_cannot_be_read_keeps_no_other_back(cli: Cli, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("closed.yaml").touch()

    def content(path: str) -> bytes:
        if path == "closed.yaml":  # as for anyone but root, who may run this
            raise PermissionError
        return Path(path).read_bytes()

    monkeypatch.setattr("runtime.config.text._content", content)
    assert document(cli, "startr", "starter", code=2)["is_valid"] is False
    assert document(cli, "startr", wrong, code=3)["is_valid"] is False
    found = document(cli, "startr", "closed.yaml", wrong, "starter", code=4)
    problems = [[problem["message"] for problem in file["problems"]] for file in found["files"]]
    assert [len(messages) for messages in problems] == [1, 1, 4, 0]
    assert "`startr`" in problems[0][0] and problems[1] == ["you may not read `closed.yaml`"]
    result = cli("stack", "validate", "no/run.yaml", "starter")
    assert (result.code, len(result.out.splitlines())) == (2, 1)
    assert result.out.startswith("no/run.yaml: `no/run.yaml` is not a file")
    assert cli("stack", "validate", "startr", "starter", "-q").out == "startr\n"


@pytest.mark.parametrize("name", template_names())
def test_what_comes_with_us_is_valid(name: str, cli: Cli) -> None:
    assert document(cli, name, code=0)["files"][0]["problems"] == []


def test_a_variable_that_only_a_server_needs_may_be_unset(cli: Cli, wrong: str) -> None:
    [file] = document(cli, "needs.yaml", code=0)["files"]
    assert [(one["path"], one["line"]) for one in file["warnings"]] == [("providers.inference[0].config.api_key", 7)]
    assert document(cli, "needs.yaml", "--strict", code=3)["is_valid"] is False


def test_sarif_is_what_code_hosts_read(cli: Cli, wrong: str) -> None:
    result = cli("stack", "validate", wrong, "needs.yaml", "--format", "sarif")
    assert result.code == 3
    log = result.json()
    jsonschema.validate(log, SARIF)
    [run] = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert all(rules[found["ruleIndex"]] == found["ruleId"] for found in run["results"])
    first = run["results"][0]
    assert (first["ruleId"], first["level"]) == ("invalid", "error")
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "wrong.yaml"},
        "region": {"startLine": 3},
    }
    assert {found["level"] for found in run["results"]} == {"error", "warning", "note"}


def test_sarif_names_a_file_of_any_bytes_and_a_line_of_the_file_that_was_named(cli: Cli, wrong: str) -> None:
    odd = os.fsdecode(b"caf\xe9 1.yaml")
    Path(odd).write_text(WRONG)
    spec = "distribution_spec: {providers: {inference: remote::ollama}, additional_pip_packages: ['a b c']}"
    Path("build.yaml").write_text(f"name: old\n{spec}\n")
    log = cli("stack", "validate", odd, "build.yaml", "-", "--format", "sarif", stdin="").json()
    jsonschema.validate(log, SARIF)
    assert "`a b c` is not a requirement" in json.dumps(log)
    places = [found["locations"][0]["physicalLocation"] for found in log["runs"][0]["results"]]
    lines = {(place["artifactLocation"]["uri"], place["region"]["startLine"]) for place in places}
    assert {("caf%E9%201.yaml", 3), ("build.yaml", 1), ("standard%20input", 1)} <= lines
    assert {line for uri, line in lines if uri == "build.yaml"} == {1}


def test_two_forms_of_output_at_once_are_usage(cli: Cli, wrong: str) -> None:
    for words in (["validate", wrong, "--format", "sarif"], ["env", wrong, "--format", "dotenv"]):
        result = cli("stack", *words, "--json")
        assert (result.code, "both want standard output" in result.json()["error"]["message"]) == (2, True)


def test_what_has_no_effect_is_told_with_its_line(cli: Cli, wrong: str) -> None:
    safety = "safety: {default_shield_id: b}"
    text = f"version: 2\ndistro_name: mine\nregistered_resources:\n  models:\n  - {{model_id: a}}\n{safety}\n"
    result = cli("stack", "validate", "-", stdin=text)
    assert result.out.splitlines() == [
        "standard input:6: warning: safety: has no effect: the API safety is not mounted",
        "standard input:5: warning: registered_resources.models: has no effect: no provider of inference is on",
    ]


def test_markdown_is_a_table_a_file(cli: Cli, wrong: str) -> None:
    text = cli("stack", "validate", wrong, "starter", "--format", "markdown").out
    assert text.startswith(
        "### `wrong.yaml`: invalid\n\n| line |  | where | what | hint |\n|---|---|---|---|---|\n| 3 | p"
    )
    assert text.endswith("### `template starter`: valid\n\n")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert all(line.replace("\\|", "").count("|") == 6 for line in rows)


def test_what_is_no_yaml_or_no_text_is_a_problem_like_others(cli: Cli, wrong: str) -> None:
    Path("broken.yaml").write_text("a: [")
    Path("bytes.yaml").write_bytes(b"\xff\xfe\x00")
    found = document(cli, "broken.yaml", "bytes.yaml", code=3)
    assert [len(file["problems"]) for file in found["files"]] == [1, 1]


def test_a_name_that_there_is_not_is_usage(cli: Cli, wrong: str) -> None:
    result = cli("stack", "validate", "startr")
    assert (result.code, result.out) == (2, "")
    assert "did you mean `starter` or" in result.err


def test_a_build_config_of_older_systems_is_read_as_one(cli: Cli, wrong: str) -> None:
    Path("build.yaml").write_text("name: old\ndistribution_spec:\n  providers:\n    inference: remote::ollama\n")
    assert document(cli, "build.yaml", code=0)["is_valid"] is True
    Path("build.yaml").write_text("name: old\ndistribution_spec:\n  providers:\n    inference: remote::olama\n")
    assert document(cli, "build.yaml", code=3)["files"][0]["problems"][0]["hint"] == "did you mean `remote::ollama`?"
