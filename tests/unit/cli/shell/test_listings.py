"""The listings of what a stack can be made of, against their schemas."""

from __future__ import annotations

import fcntl
import json
import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from llama_cli.servers import records
from runtime.discovery import built_in
from tests.support.command_runner import Cli
from tests.support.schemas import conform


def checked(cli: Cli, *arguments: str) -> Any:
    """The document of a listing, held against its schema."""
    result = cli("stack", *arguments, "--json")
    assert (result.code, result.err) == (0, "")
    conform(result.json(), f"stack-{arguments[0]}")
    return result.json()


def test_list_apis(cli: Cli) -> None:
    assert [row["api"] for row in checked(cli, "list-apis")] == list(built_in().api_names)
    assert cli("stack", "list-apis", "-q").out.split() == list(built_in().api_names)


def test_list_providers_has_a_row_a_provider(cli: Cli) -> None:
    rows = checked(cli, "list-providers")
    assert [(row["api"], row["provider_type"]) for row in rows] == [
        (spec.api, spec.provider_type) for spec in built_in().specs
    ]
    assert len(cli("stack", "list-providers").out.splitlines()) == len(built_in().specs)


def test_list_providers_says_what_each_needs_and_can(cli: Cli) -> None:
    rows = {row["provider_type"]: row for row in checked(cli, "list-providers", "inference")}
    cohere = rows["remote::cohere"]
    assert (cohere["enabled_by"], cohere["key_env"]) == ("COHERE_API_KEY", "COHERE_API_KEY")
    assert {"chat", "embeddings", "rerank", "tools"} <= {*cohere["capabilities"]}
    assert cohere["evidence"] == "wire" and cohere["evidence_note"]
    line = next(line for line in cli("stack", "list-providers").out.splitlines() if "\tremote::cohere\t" in line)
    assert "COHERE_API_KEY" in line and "chat tools schema embed rerank" in line


def test_list_providers_of_one_api(cli: Cli) -> None:
    rows = checked(cli, "list-providers", "inference")
    assert {row["api"] for row in rows} == {"inference"}
    assert "remote::openai" in [row["provider_type"] for row in rows]


@pytest.mark.parametrize(
    ("api", "hint"),
    [("inferense", "did you mean `inference` or"), ("xyzzy", f"there are {', '.join(built_in().api_names[:9])}, ")],
)
def test_list_providers_of_an_unknown_api(api: str, hint: str, cli: Cli) -> None:
    result = cli("stack", "list-providers", api)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: there is no API `{api}`\n\nhint: {hint}")


def test_list_has_templates_and_what_was_built(cli: Cli) -> None:
    built = cli.home / "distributions" / "mine"
    (built / ".venv").mkdir(parents=True)
    (built / "run.yaml").touch()
    half = cli.home / "distributions" / "starter"
    half.mkdir()
    (half / "run.yaml").touch()
    rows = {row["name"]: row for row in checked(cli, "list")}
    assert (rows["mine"]["source"], rows["mine"]["state"], rows["mine"]["folder"]) == ("built", "built", str(built))
    assert (rows["starter"]["source"], rows["starter"]["state"]) == ("template", "configured")
    assert rows["ci-tests"]["state"] == "not_built"
    assert "ci-tests\ttemplate\tnot built\t" in cli("stack", "list").out


def test_list_says_of_what_runs_what_ps_says(cli: Cli) -> None:
    url = "http://127.0.0.1:1"
    with ExitStack() as held:
        for state, facts in (("starting", {}), ("degraded", {"url": url, "pid": 4711})):
            stated = {"state_dir": f"/{state}", "config": "/x"}
            reserved = records.reserve("mine", lambda _, stated=stated: stated, beside=True)
            reserved.path.write_text(json.dumps(json.loads(reserved.path.read_text()) | {"state": state, **facts}))
            fcntl.flock(held.enter_context(reserved.path.open("r+")), fcntl.LOCK_EX)
            (cli.home / "distributions" / "mine").mkdir(parents=True, exist_ok=True)
            (cli.home / "distributions" / "mine" / "run.yaml").touch()
            [row] = [row for row in checked(cli, "list") if row["name"] == "mine"]
            assert row["state"] == state, "of several, the one that answers"
        assert row["urls"] == [url]
        assert [row["state"] for row in checked(cli, "ps")] == ["starting", "degraded"]


def test_list_deps_of_a_template(cli: Cli) -> None:
    document = checked(cli, "list-deps", "ci-tests")
    assert document["source"] == "template ci-tests"
    lines = cli("stack", "list-deps", "ci-tests").out.splitlines()
    assert lines == [*document["packages"], *(f"{package} --no-deps" for package in document["without_dependencies"])]
    commands = cli("stack", "list-deps", "ci-tests", "--format", "uv").out.splitlines()
    assert commands[0].startswith("uv pip install ")
    assert all(line.startswith("uv pip install --no-deps ") for line in commands[1:])
    assert len(commands) == 1 + len(document["without_dependencies"])


def test_a_password_in_an_address_is_only_where_it_is_to_be_run(cli: Cli, tmp_path: Path) -> None:
    address = "firefly @ https://me:swordfish@app.example/firefly-1.0-py3-none-any.whl"
    entry = {"provider_id": "ff", "provider_type": "remote::firefly", "module": address}
    file = tmp_path / "run.yaml"
    run = {"version": 2, "distro_name": "test", "providers": {"inference": [entry]}}
    file.write_text(json.dumps({**run, "additional_pip_packages": [address]}))
    listings = [
        cli("stack", *words, str(file))
        for words in (
            ["list-deps"],
            ["list-deps", "--json"],
            ["show"],
            ["show", "--json"],
            ["build", "--print-deps", "--config"],
            ["build", "--dry-run", "--config"],
            ["build", "--dry-run", "--json", "--config"],
        )
    ]
    for listed in listings:
        assert "app.example" in listed.out + listed.err and "swordfish" not in listed.out + listed.err
    assert f"`llama stack list-deps {file} --format uv` prints commands that have them" in listings[0].err
    commands = cli("stack", "list-deps", str(file), "--format", "uv").out
    assert address in shlex.split(commands)
    assert "passwords" not in cli("stack", "list-deps", "ci-tests").err


def test_list_deps_leaves_out_what_is_off(cli: Cli) -> None:
    assert checked(cli, "list-deps", "remote")["packages"] == []


def test_show_masks_secrets_and_names_what_is_off(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VLLM_URL", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    document = checked(cli, "show", "remote")
    assert {"api": "inference", "provider_id": "openai", "provider_type": "remote::openai"} in document["providers"]
    assert {"api": "inference", "provider_type": "remote::vllm", "variables": ["VLLM_URL"]} in document["off"]
    assert "sk-very-secret" not in json.dumps(document)
    shown = cli("stack", "show", "remote").out
    assert shown.startswith("# template remote\nversion: 2\n")
    assert "sk-very-secret" not in shown
    assert "openai" in cli("stack", "show", "remote", "-q").out.split()


def test_show_reads_what_was_built_under_a_templates_name(cli: Cli) -> None:
    folder = cli.home / "distributions" / "starter"
    folder.mkdir(parents=True)
    (folder / "run.yaml").write_text("version: 2\ndistro_name: starter\nserver:\n  port: 4711\n")
    document = checked(cli, "show", "starter")
    assert (document["source"], document["config"]["server"]["port"]) == (str(folder / "run.yaml"), 4711)


def test_show_of_a_wrong_config_names_every_problem(cli: Cli, tmp_path: Any) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("version: 2\ndistro_name: x\nservr: {}\nserver:\n  port: many\n")
    result = cli("stack", "show", str(file), "--json")
    assert result.code == 3
    assert [problem["line"] for problem in result.json()["error"]["problems"]] == [3, 5]


def test_an_unknown_distribution_is_usage_with_the_nearest(cli: Cli) -> None:
    for command in ("show", "list-deps"):
        result = cli("stack", command, "startr")
        assert result.code == 2
        assert "did you mean `starter`" in result.err


def test_a_dry_run_writes_nothing(cli: Cli) -> None:
    result = cli("stack", "run", "starter", "--port", "0", "--alias", "gpt=small", "--dry-run", "--json")
    conform(result.json(), "stack-run")
    assert (result.code, result.json()["is_built"], result.json()["options"]["aliases"]) == (0, False, ["gpt=small"])
    assert not cli.home.exists()
    assert cli("stack", "run", "starter", "--dry-run").out == (
        f"would build and serve `starter` from {cli.home}/distributions/starter/run.yaml\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--alias", "gpt"], "`--alias`: `gpt` is not `NAME=MODEL`"),
        (["--log-level", "loud"], "`--log-level`: `loud` is not one of `debug`, `info`, "),
        (["--port", "70000"], "`--port`: expected a number from 0 to 65535, got `70000`"),
        (["--timeout", "soon"], "`soon` is not a duration"),
        (["--port", "abc"], "`--port`: expected a whole number from 0 to 65535, got `abc`"),
        (["--host", "0.0.0.0"], "allow it with `server.insecure: true`"),
        (["--require", "opnai"], "did you mean `openai`? it is off: set OPENAI_API_KEY"),
        (["--model", "x", "--model", "y"], "`x` is neither a path nor a model that comes with us"),
        (["--model", "no/where.gguf"], "`no/where.gguf` is neither a path nor a model"),
        (["--ready-file", "no/where/ready.json"], "there is no folder `no/where`"),
        (["--env-file", "nowhere.env"], "there is no file `nowhere.env`"),
    ],
)
def test_run_refuses_what_makes_no_sense(arguments: list[str], message: str, cli: Cli) -> None:
    result = cli("stack", "run", "starter", "--dry-run", *arguments)
    assert result.code == 2
    assert message in result.err
