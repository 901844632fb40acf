"""`llama stack init`: a run.yaml to begin with, where nobody is asked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from runtime.config.loading import parse_run_config
from runtime.config.template import template_names
from runtime.stack.plan import plan
from tests.support.command_runner import Cli
from tests.support.schemas import conform


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    here = tmp_path / "my project"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.delenv("INFERENCE_MODEL", raising=False)
    return here


def document(cli: Cli, *arguments: str) -> Any:
    result = cli("stack", "init", *arguments, "--json")
    assert (result.code, result.err) == (0, "")
    conform(result.json(), "stack-init")
    return result.json()


@pytest.mark.parametrize("template", template_names())
def test_what_is_written_is_valid_and_has_its_name(template: str, cli: Cli, folder: Path) -> None:
    facts = document(cli, "mine", "--template", template)
    assert (facts["file"], facts["is_written"]) == (str(folder / "run.yaml"), True)
    assert facts["next"] == f"llama stack {'env' if template == 'remote' else 'run'} run.yaml"
    assert cli("stack", "validate", "run.yaml").code == 0
    run = parse_run_config(Path("run.yaml").read_text(), env=dict.fromkeys(facts["needed"], "x"))
    assert run.distro_name == "mine"


def test_the_name_of_a_template_means_it(cli: Cli) -> None:
    assert document(cli, "remote", "--dry-run")["template"] == "remote"
    assert document(cli, "remote", "--template", "starter", "--dry-run")["template"] == "starter"


def test_what_has_nothing_on_says_so_and_leads_to_what_turns_it_on(cli: Cli) -> None:
    wrote, then = cli.at_terminal("stack", "init", "remote").err.splitlines()
    written = r"wrote `run.yaml`: `remote` with no provider that is on yet, and \d+ that variables turn on"
    assert re.fullmatch(written, wrote)
    assert then == "next: llama stack env run.yaml"


def test_choices_are_in_the_file_and_variables_still_come_first(cli: Cli) -> None:
    document(cli, "mine", "--model", "SmolLM2-135M-Instruct", "--port", "9000")
    text = Path("run.yaml").read_text()
    assert "model: ${env.INFERENCE_MODEL:=SmolLM2-135M-Instruct}\n" in text
    run = parse_run_config(text, env={"LLAMA_STACK_PORT": "9001"})
    assert (parse_run_config(text, env={}).server.port, run.server.port) == (9000, 9001)
    document(cli, "mine", "--providers", "inference=remote::ollama", "--force")
    planned = plan(parse_run_config(Path("run.yaml").read_text(), env={}))
    assert [one.spec.provider_type for one in planned.of("inference")] == ["remote::ollama"]


def test_each_section_says_what_it_is(cli: Cli) -> None:
    assert cli("stack", "init", "-q").out == "run.yaml\n"
    lines = Path("run.yaml").read_text().splitlines()
    for section in ("providers:", "storage:", "registered_resources:", "server:"):
        assert lines[lines.index(section) - 1].startswith("# "), section
    assert "#   GROQ_API_KEY: turns on remote::groq" in lines


def test_the_defaults_need_no_answer(cli: Cli) -> None:
    result = cli("stack", "init")
    assert (result.code, result.out) == (0, "")
    [wrote] = result.err.splitlines()
    assert wrote.startswith("wrote `run.yaml`: `my-starter` with 12 providers, and ")  # a folder with a blank
    told = cli.at_terminal("stack", "init", "--force").err
    assert told == f"{wrote}\nnext: llama stack run run.yaml\n"


def test_a_file_that_is_there_is_replaced_only_with_force(cli: Cli) -> None:
    Path("run.yaml").write_text("mine: true\n")
    for more in ([], ["--dry-run"]):
        result = cli("stack", "init", *more)
        assert (result.code, result.out) == (5, "")
        assert "`--force` replaces it" in result.err
    assert Path("run.yaml").read_text() == "mine: true\n"
    assert cli("stack", "init", "--force").code == 0
    assert "distro_name: my-starter\n" in Path("run.yaml").read_text()


def test_a_dry_run_writes_nothing_and_says_the_same(cli: Cli) -> None:
    would = document(cli, "mine", "--dry-run")
    assert not Path("run.yaml").exists()
    assert document(cli, "mine") == would | {"is_written": True}


def test_standard_output_holds_the_file_alone(cli: Cli) -> None:
    result = cli("stack", "init", "mine", "--output", "-")
    assert (result.code, result.err) == (0, "")
    assert parse_run_config(result.out, env={}).distro_name == "mine"
    assert not Path("run.yaml").exists()
    assert cli("stack", "init", "--output", "-", "--json").code == 2


def test_a_file_is_named_as_it_was_meant(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    assert document(cli, "mine", "--output", "~/other.yaml")["file"] == str(folder / "other.yaml")
    assert (folder / "other.yaml").exists()


@pytest.mark.parametrize(("braces", "is_taken"), [("{x}", True), ("}", False), ("${env.X", False)])
def test_a_model_whose_path_has_braces(braces: str, is_taken: bool, cli: Cli, tmp_path: Path) -> None:
    model = tmp_path / braces
    model.mkdir()
    result = cli("stack", "init", "mine", "--model", str(model))
    if is_taken:
        run = parse_run_config(Path("run.yaml").read_text(), env={})
        assert run.providers["inference"][0].config["model"] == str(model)
    else:
        assert (result.code, "`--model`: the braces of" in result.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a b"], "`a b` cannot name a distribution"),
        (["--template", "startr"], "did you mean `starter`"),
        (["--providers", "inference=remote::olama"], "did you mean `remote::ollama`?"),
        (["--model", "no-such-model"], "neither a path nor a model that comes with us"),
        (["--template", "remote", "--model", "SmolLM2-135M-Instruct"], "has no engine of ours"),
        (["--output", "no/such/folder/run.yaml"], "there is no folder"),
    ],
)
def test_a_choice_that_cannot_be_is_usage_and_writes_nothing(arguments: list[str], message: str, cli: Cli) -> None:
    result = cli("stack", "init", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert list(Path.cwd().iterdir()) == []
