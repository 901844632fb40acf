"""`llama stack diff`: what differs between two run configs, and between a server and its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llama_cli.servers import records
from llama_cli.servers.started_with import keep
from tests.support.command_runner import Cli
from tests.support.schemas import conform

pytestmark = pytest.mark.usefixtures("quick_digests")
RUN_YAML = """\
version: 2
distro_name: mine
providers:
  inference:
  - provider_id: groq
    provider_type: remote::groq
    config:
      api_key: sk-one
      network: {headers: {x-team: "${env.TEAM:=red}"}}
  - provider_id: ${env.VLLM_URL:+vllm}
    provider_type: remote::vllm
    config:
      base_url: ${env.VLLM_URL}
      api_token: ${env.VLLM_API_TOKEN:=fallback-secret}
registered_resources:
  models:
  - {model_id: a, provider_id: groq}
  - {model_id: b, provider_id: groq}
server:
  port: 8400
"""
_PLAIN = {"is_secret": False}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(RUN_YAML)
    return tmp_path


def against(text: str, cli: Cli, *arguments: str) -> Any:
    Path("b.yaml").write_text(text)
    result = cli("stack", "diff", "a.yaml", "b.yaml", "--json", *arguments)
    assert (result.code, result.err) == (0, "")
    conform(result.json(), "stack-diff")
    assert (
        "sk-one" not in result.out
        and "sk-two" not in result.out
        and "secret" not in result.out.replace("is_secret", "")
    )
    return result.json()["differences"]


def test_an_older_shape_of_the_same_is_no_difference(cli: Cli) -> None:
    a, b = ("  - {model_id: a, provider_id: groq}\n", "  - {model_id: b, provider_id: groq}\n")
    older = RUN_YAML.replace("distro_name", "image_name").replace("registered_resources:\n  models:", "models:")
    older = older.replace(a + b, b + a)
    assert older.count("models:") == 1 and "image_name" in older
    assert against(older, cli) == []


def test_changes_are_told_by_key_path(cli: Cli) -> None:
    changed = RUN_YAML.replace("8400", "8401").replace("  - {model_id: a, provider_id: groq}\n", "")
    changed = changed.replace("server:", "logging: {category_levels: {all: debug}}\nserver:")
    assert against(changed, cli) == [
        {
            "path": f"registered_resources.models[a].{key}",
            "change": "removed",
            "a": value,
            "b": None,
            "is_secret": False,
        }
        for key, value in (("model_id", "a"), ("provider_id", "groq"))
    ] + [
        {"path": "server.port", "change": "changed", "a": 8400, "b": 8401} | _PLAIN,
        {"path": "logging.category_levels.all", "change": "added", "a": None, "b": "debug"} | _PLAIN,
    ]


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("sk-one", "sk-two", "providers.inference[groq].config.api_key"),
        ("fallback-secret", "another-secret", "providers.inference[vllm].config.api_token"),
        ("TEAM:=red", "TEAM:=blue", "providers.inference[groq].config.network.headers.x-team"),
    ],
)
def test_that_secrets_differ_is_said_and_they_are_not(old: str, new: str, path: str, cli: Cli) -> None:
    [found] = against(RUN_YAML.replace(old, new), cli)
    assert (found["path"], found["change"], found["is_secret"]) == (path, "changed", True)
    assert found["a"] == found["b"] and "********" in found["a"]
    result = cli("stack", "diff", "a.yaml", "b.yaml")
    assert result.out.splitlines()[2].endswith("  # another secret")


def test_nothing_below_a_secret_or_without_a_name_of_its_own_is_shown(cli: Cli) -> None:
    hidden = (
        "credentials: {user: sk-one, list: [{a_id: sk-one}]}",
        "odd: [{password: sk-one}, [{token: sk-one}]]",
        "unnamed: [{token: sk-one}]",
        "named: [{some_id: 'http://u:sk-one@h', password: sk-one}]",
        "headers: {list: [sk-one], mapping: {x: sk-one}}",
    )
    text = RUN_YAML.replace("      api_key: sk-one\n", "".join(f"      {line}\n" for line in hidden))
    Path("a.yaml").write_text(text)
    found = against(text.replace("sk-one", "sk-two"), cli)
    config = "providers.inference[groq].config"
    assert [one["path"].removeprefix(config) for one in found] == [
        *(".credentials.user", ".credentials.list[0].a_id", ".odd", ".unnamed[0].token"),
        *(".named[http://********@h].some_id", ".named[http://********@h].password"),
        *(".headers.list", ".headers.mapping.x"),
    ]
    assert all(one["is_secret"] for one in found)


def test_a_variable_is_compared_as_it_is_written(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_URL", "http://there")
    [found] = against(RUN_YAML.replace("${env.VLLM_URL}", "http://there"), cli)
    assert (found["a"], found["b"]) == ("${env.VLLM_URL}", "http://there")


def test_lines_for_a_person_and_paths_alone(cli: Cli) -> None:
    Path("b.yaml").write_text(RUN_YAML.replace("8400", "8401"))
    result = cli("stack", "diff", "a.yaml", "b.yaml")
    assert (result.code, result.err) == (0, "")
    assert result.out == "--- a.yaml\n+++ b.yaml\n- server.port: 8400\n+ server.port: 8401\n"
    assert cli("stack", "diff", "a.yaml", "-", "-q", stdin=Path("b.yaml").read_text()).out == "server.port\n"
    assert cli("stack", "diff", "a.yaml", "b.yaml", "--exit-code").code == 9
    same = cli("stack", "diff", "a.yaml", "a.yaml", "--exit-code")
    assert (same.code, same.out, same.err) == (0, "", "a.yaml and a.yaml say the same\n")


@pytest.mark.parametrize(
    "arguments", [["a.yaml"], ["a.yaml", "b.yaml", "--running"], ["-", "-"], ["a.yaml", "nowhere.yaml"]]
)
def test_what_cannot_be_compared_is_usage(arguments: list[str], cli: Cli) -> None:
    result = cli("stack", "diff", *arguments)
    assert (result.code, result.out) == (2, "")


def test_a_server_and_its_file(cli: Cli, folder: Path) -> None:
    file = folder / "a.yaml"
    record = records.reserve("mine", lambda _: {"state_dir": str(folder), "config": str(file)})
    unknown = cli("stack", "diff", "mine", "--running")
    assert (unknown.code, "llama stack restart mine" in unknown.err) == (1, True)
    keep(record, file.read_text())
    kept = record.path.with_suffix(".config")
    assert kept.stat().st_mode & 0o077 == 0
    assert "sk-one" not in kept.read_text() and "fallback-secret" not in kept.read_text()
    assert cli("stack", "diff", "mine", "--running", "--exit-code").code == 0
    file.write_text(RUN_YAML.replace("8400", "8401").replace("sk-one", "sk-two"))
    result = cli("stack", "diff", "mine", "--running", "--exit-code")
    assert result.code == 9
    assert result.out == (
        f"--- `mine` as it was started\n+++ {file}\n"
        "- providers.inference[groq].config.api_key: '********'  # another secret\n"
        "+ providers.inference[groq].config.api_key: '********'  # another secret\n"
        "- server.port: 8400\n+ server.port: 8401\n"
    )
    assert result.err == ""
    assert cli.at_terminal("stack", "diff", "mine", "--running").err == "next: llama stack restart mine\n"
    assert cli.at_terminal("stack", "diff", "mine", "--running", "-q").err == ""
    records.rewrite(record, state="failed")
    records.forget(record)
    assert not kept.exists()
