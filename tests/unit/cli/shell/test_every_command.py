"""What holds for every command, found by walking the tree: a new command cannot forget it."""

from __future__ import annotations

import json
import shlex
from typing import Any

import jsonschema
import pytest
from typer._click.core import Command, Context
from typer.core import TyperGroup, TyperOption

from llama_cli.commands import find, summary
from llama_cli.main import root
from tests.support.command_runner import SCHEMAS, Cli

SHARED = {
    f"--{name}" for name in ("config", "url", "json", "quiet", "verbose", "debug", "dry-run", "timeout", "port", "host")
}
SHORT = {"-q": ["--quiet", "-q"], "-f": ["--follow", "-f"], "-n": ["--tail", "-n"], "-d": ["--detach", "-d"]}
SCREEN = 23
"""Lines of a terminal, without the one of the prompt."""
WITHOUT_COMMAND = {"error", "llama", "version", "help-exit-codes"}


def walk(here: Command, context: Context) -> list[tuple[str, Command, Context]]:
    found = [(context.command_path, here, context)]
    if isinstance(here, TyperGroup):
        for name in here.list_commands(context):
            child = here.get_command(context, name)
            assert child is not None
            found += walk(child, Context(child, info_name=name, parent=context))
    return found


EVERYTHING = walk(root(), Context(root(), info_name="llama"))
COMMANDS = [(path, command, context) for path, command, context in EVERYTHING if not isinstance(command, TyperGroup)]
every = pytest.mark.parametrize(("path", "command", "context"), EVERYTHING, ids=[path for path, *_ in EVERYTHING])
every_command = pytest.mark.parametrize(("path", "command", "context"), COMMANDS, ids=[path for path, *_ in COMMANDS])


def options(command: Command, context: Context) -> dict[str, TyperOption]:
    stated = [param for param in command.get_params(context) if isinstance(param, TyperOption)]
    return {name: param for param in stated for name in param.opts}


def test_the_first_commands_are_there() -> None:
    paths = {path for path, *_ in EVERYTHING}
    expected = [
        "list",
        "list-apis",
        "list-providers",
        "list-deps",
        "show",
        "run",
        "ps",
        "logs",
        "status",
        "stop",
        "restart",
    ]
    assert paths >= {"llama chat", "llama help", *(f"llama stack {name}" for name in expected)}


@every
def test_help_is_on_standard_output_with_examples_and_fits(
    path: str, command: Command, context: Context, cli: Cli
) -> None:
    result = cli(*path.split()[1:], "--help")
    assert result.code == 0
    assert result.err == ""
    assert result.out.startswith(f"Usage: {path} ")
    assert "\nExamples:\n" in result.out
    lines = result.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= SCREEN, f"`{path} --help`: put options that few need into a panel (`rich_help_panel`)"
    assert lines[-1] == f"More: {path} --help --all"
    assert "\x1b" not in result.out


@every
def test_the_whole_help_has_every_option_and_paragraph(path: str, command: Command, context: Context, cli: Cli) -> None:
    words = path.split()[1:]
    result = cli(*words, "--help", "--all")
    assert (result.code, result.err) == (0, "")
    assert result.out == cli("help", *words, "--all").out
    assert max(map(len, result.out.splitlines())) <= 80
    text = " ".join(result.out.split())
    for paragraph in (command.help or "").split("\n\n"):
        assert " ".join(paragraph.split()) in text
    for name, option in options(command, context).items():
        assert f" {name}" in text and " ".join((option.help or "").split()) in text


@every
def test_help_prints_the_schema(path: str, command: Command, context: Context, cli: Cli) -> None:
    words = path.split()[1:]
    result = cli(*words, "--help", "--schema")
    assert result == cli("help", *words, "--schema")
    if "--json" in options(command, context):
        assert result.json() == json.loads((SCHEMAS / f"{'-'.join(words) or 'llama'}.json").read_text())
    else:
        assert (result.code, result.out) == (2, "") and result.err.startswith(f"error: `{path}` prints no JSON")


@pytest.mark.parametrize("name", ["error", "version", "exit-codes"])
def test_help_prints_the_schema_of_what_is_no_command(name: str, cli: Cli) -> None:
    assert cli("help", name, "--schema").json()["$schema"].endswith("2020-12/schema")


@every
def test_help_says_what_each_option_does(path: str, command: Command, context: Context) -> None:
    assert command.help and " ".join(command.help.split("\n\n")[0].split()).endswith(".")
    for name, option in options(command, context).items():
        assert option.help and option.help.endswith("."), f"{path} {name}"


@every
def test_examples_parse(path: str, command: Any, context: Context) -> None:
    assert 1 <= len(command.examples) <= 3
    for example in command.examples:
        words = shlex.split(example)
        start = words.index("llama") + 1
        words = words[start : words.index("|", start) if "|" in words[start:] else None]
        here: Any = root()
        parent = here.make_context("llama", list(words))
        while isinstance(here, TyperGroup) and (words := [*parent._protected_args, *parent.args]):
            name, here, words = here.resolve_command(parent, words)
            parent = here.make_context(name, list(words), parent=parent)


@every
def test_options_of_every_command_are_accepted(path: str, command: Command, context: Context) -> None:
    assert {"--color", "--verbose", "--debug", "--help"} <= options(command, context).keys()


@every
def test_a_name_means_the_same_everywhere(path: str, command: Command, context: Context) -> None:
    shapes: dict[str, tuple[bool, bool]] = {}
    for _, other, other_context in EVERYTHING:
        for name, option in options(other, other_context).items():
            shapes.setdefault(name, (option.is_flag, option.multiple))
    for name in SHARED & options(command, context).keys():
        option = options(command, context)[name]
        assert (option.is_flag, option.multiple) == shapes[name], name
    for name, names in SHORT.items():
        if name in options(command, context):
            assert options(command, context)[name].opts == names


@every
def test_a_mistyped_option_is_usage_with_the_nearest_name(
    path: str, command: Command, context: Context, cli: Cli
) -> None:
    result = cli(*path.split()[1:], "--verbos")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: no such option: --verbos\n\nhint: did you mean `--")
    assert "`--verbose`" in result.err


@every_command
def test_json_has_a_schema(path: str, command: Command, context: Context) -> None:
    if "--json" in options(command, context):
        schema = json.loads((SCHEMAS / f"{'-'.join(path.split()[1:])}.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_schema_belongs_to_a_command() -> None:
    named = {"-".join(path.split()[1:]) for path, *_ in COMMANDS}
    assert {file.stem for file in SCHEMAS.glob("*.json")} - WITHOUT_COMMAND <= named


@every_command
def test_usage_errors_are_json_with_json(path: str, command: Command, context: Context, cli: Cli) -> None:
    if "--json" not in options(command, context):
        pytest.skip("shows nothing")
    result = cli(*path.split()[1:], "--no-such-thing", "--json")
    jsonschema.validate(result.json(), json.loads((SCHEMAS / "error.json").read_text()))
    assert (result.code, result.err, result.json()["error"]["code"]) == (2, "", 2)


def test_a_group_lists_its_files_without_importing_them() -> None:
    commands = find("llama_cli.stack")
    assert commands["list-apis"] == "llama_cli.stack.list_apis"
    assert summary("llama_cli.stack.list_apis") == "List the APIs, with what each is for"


@pytest.mark.parametrize("words", [["stack"], ["stack", "--help"]])
def test_a_bare_group_shows_its_help(words: list[str], cli: Cli) -> None:
    result = cli(*words)
    assert result.code == 0
    assert "  list            List distributions: the templates, and what was built\n" in result.out
    assert "\nOther commands:\n  " in result.out and " list-apis, " in result.out


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["stak"], "did you mean `llama stack`"),
        (["list-apis"], "did you mean `llama stack list-apis`"),
        (["stack", "chat"], "did you mean `llama chat`"),
        (["stack", "list-prov"], "did you mean `llama stack list-providers`"),
        (["stack", "xyzzy"], "the commands are listed by `llama stack --help`"),
    ],
)
def test_an_unknown_command_names_the_nearest(words: list[str], hint: str, cli: Cli) -> None:
    result = cli(*words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: there is no command `llama {' '.join(words)}`\n\nhint: {hint}")


def test_help_describes_the_whole_tree(cli: Cli) -> None:
    tree = cli("help", "--json").json()
    jsonschema.validate(tree, json.loads((SCHEMAS / "help.json").read_text()))

    def paths(node: dict[str, Any]) -> list[str]:
        return [node["command"], *(path for child in node["commands"] for path in paths(child))]

    assert paths(tree) == [path for path, *_ in EVERYTHING]


def test_help_of_a_command_is_its_help(cli: Cli) -> None:
    assert cli("help", "stack", "ps").out == cli("stack", "ps", "--help").out
    assert cli("help").out == cli("--help").out


def test_help_of_an_unknown_command_is_usage(cli: Cli) -> None:
    result = cli("help", "stack", "pss")
    assert result.code == 2
    assert "there is no command `llama stack pss`" in result.err
    assert cli("help", "chat", "more").code == 2


def test_exit_codes_are_listed(cli: Cli) -> None:
    lines = cli("help", "exit-codes").out.splitlines()
    assert lines[0] == "0\tdone\tdone"
    assert "5\tconflict\tconflict: a port, lock or name is taken" in lines
    rows = cli("help", "exit-codes", "--json").json()
    jsonschema.validate(rows, json.loads((SCHEMAS / "help-exit-codes.json").read_text()))
