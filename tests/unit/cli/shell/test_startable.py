"""What keeps a server from starting is found before anything is built for it: its models, its choices, its port."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from llama_cli.servers.choices import Choices
from llama_cli.servers.startable import check_port, planned_for_start, warn_of_unread
from runtime.config.loading import parse_run_config
from runtime.config.run_config import RunConfig
from runtime.errors import ConfigInvalid, Conflict
from tests.support.command_runner import Cli

MODELS = """\
version: 2
distro_name: mine
providers:
  inference:
  - provider_id: own
    provider_type: inline::meta-reference
    config: %s
  - provider_id: encoder
    provider_type: inline::sentence-transformers
"""
NOT_HERE = [
    ("{model: SmolLM2-135M-Instrukt}", "model", "did you mean `SmolLM2-135M-Instruct`?"),
    ("{model: ~/no/model.gguf}", "model", "give the path of a GGUF file"),
    ("{model: x, checkpoint_dir: /no/checkpoint}", "model", "/no/checkpoint, which does not exist"),
    ("{models: [llama-like]}", "models[0].model", "neither a path nor"),
    ("{model: Llama3.2-1B}", "model", "`llama model download Llama3.2-1B`"),
]


def run_of(config: str) -> RunConfig:
    return parse_run_config(MODELS % config, file="run.yaml", env={})


@pytest.mark.parametrize(("config", "key", "words"), NOT_HERE)
def test_a_provider_without_any_of_its_models_keeps_a_server_from_starting(
    config: str, key: str, words: str, cli: Cli
) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        planned_for_start(Choices(target="mine"), run_of(config), os.environ, file=None)
    [problem] = refused.value.problems
    assert (problem.path, problem.line) == (f"providers.inference[0].config.{key}", 7)
    assert words in f"{problem.message} {problem.hint}"


def test_one_of_several_models_may_come_later(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    models = "{models: [SmolLM2-135M-Instruct, later]}"
    planned_for_start(Choices(target="mine"), run_of(models), os.environ, file=None)
    assert "run.yaml:7: providers.inference[0].config.models[1].model: `later` is neither" in capsys.readouterr().err


def test_what_a_user_chooses_for_one_run_counts(cli: Cli, tmp_path: Path) -> None:
    run = run_of("{model: nothing}")
    for choices in (Choices(target="mine", models=(str(tmp_path),)), Choices(target="mine", without=("own",))):
        assert planned_for_start(choices, run, os.environ, file=None)
    with pytest.raises(ConfigInvalid, match="there is no provider `oen`"):
        planned_for_start(Choices(target="mine", without=("oen",)), run, os.environ, file=None)


def test_faults_are_of_providers_that_there_are(cli: Cli) -> None:
    run = run_of("{model: SmolLM2-135M-Instruct}")
    for inject in (("own: 429", "encoder: slow 1s"), ("*: 500",), ("inference/own: timeout",), ("header",)):
        assert planned_for_start(Choices(target="mine", inject=inject), run, os.environ, file=None)
    with pytest.raises(ConfigInvalid) as refused:
        planned_for_start(Choices(target="mine", inject=("won: 429; encodr: 500",)), run, os.environ, file=None)
    assert [problem.hint for problem in refused.value.problems] == ["did you mean `own`?", "did you mean `encoder`?"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--inject", "openai 429"],
            "error: `--inject`: `openai 429` does not say which provider\n\nhint: write PROVIDER",
        ),
        (["--inject", "openai: 4299, slow"], "`openai`: `slow` does not say how slow"),
        (["--inject", ""], "hint: is a variable not set that stands there?"),
        (["--inject-seed", "1"], "error: `--inject-seed`: nothing is injected\n\nhint: give `--inject FAULTS` too"),
    ],
)
def test_faults_that_make_no_sense_are_refused_at_once(words: list[str], said: str, cli: Cli) -> None:
    result = cli("stack", "run", "starter", *words)
    assert result.code == 2 and said in result.err and result.out == ""


def test_validate_tells_of_models_that_are_not_on_this_machine(cli: Cli, tmp_path: Path) -> None:
    """It can be the machine of somebody who only writes the file: `run` is what refuses."""
    file = tmp_path / "run.yaml"
    file.write_text(MODELS % "{model: SmolLM2-135M-Instrukt}")
    result = cli("stack", "validate", str(file))
    assert result.code == 0
    assert result.out.startswith(f"{file}:7: warning: providers.inference[0].config.model: `SmolLM2-135M-Instrukt` is")
    assert "did you mean `SmolLM2-135M-Instruct`?" in result.out
    file.write_text(MODELS % '{model: "${env.NOT_SET}"}')
    assert "neither a path" not in cli("stack", "validate", str(file)).out


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_a_port_that_is_taken_is_known_at_once(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    run = parse_run_config(f"distro_name: x\nproviders: {{}}\nserver: {{port: {port}}}\n", env={})
    for choices in (Choices(target="x"), Choices(target="x", port=port, host="127.0.0.1")):
        with pytest.raises(Conflict, match=f"port {port} on .* is in use"):
            check_port(choices, run, former=None)
    check_port(Choices(target="x", port=0), run, former=None)
    listener.close()
    check_port(Choices(target="x"), run, former=None)


def test_a_variable_that_is_given_and_mistyped_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    text = MODELS % "{}" + "  - {provider_id: '${env.OPENAI_API_KEY:+openai}', provider_type: remote::openai}\n"
    given = {"OPENAI_API_KEI": "sk-1", "UNLIKE": "1", "GROQ_API_KEY": "2"}
    warn_of_unread(tuple(given), text, given, name="mine")
    assert capsys.readouterr().err == ("warning: `mine` reads no `OPENAI_API_KEI`: did you mean `OPENAI_API_KEY`?\n")
    warn_of_unread(("OPENAI_API_KEY",), text, {"OPENAI_API_KEY": "sk-1"}, name="mine")
    warn_of_unread((), text, given, name="mine")
    assert capsys.readouterr().err == ""
