"""Help and discovery, of every command: one screen, one sentence, examples that parse; the rest if asked for."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from typer.core import TyperGroup

from llama_cli.commands import find, summary
from llama_cli.helping.page import value_of
from llama_cli.main import root
from tests.support.command_runner import Cli
from tests.support.command_tree import BY_PATH, EVERYTHING, Node, every, every_command
from tests.support.schemas import conform, schema

SCREEN = 23
"""Lines of a terminal, without the one of the prompt."""


def test_the_first_commands_are_there() -> None:
    expected = ("list", "list-apis", "list-providers", "list-deps", "show", "run", "ps", "logs", "status", "stop")
    assert BY_PATH.keys() >= {"llama chat", "llama help", *(f"llama stack {name}" for name in (*expected, "restart"))}


@every
def test_help_fits_a_screen(node: Node, cli: Cli) -> None:
    result = cli(*node.words, "--help")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"Usage: {node.path} ")
    assert "\nExamples:\n" in result.out and "....." not in result.out
    lines = result.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= SCREEN, (
        f"`{node.path} --help` has {len(lines)} lines and a screen {SCREEN}: give options that few need a "
        "`rich_help_panel`, shorten what wraps, or name the usual commands of a group in its `USUAL`"
    )
    assert lines[-1] == f"More: {node.path} --help --all"
    assert "\x1b" not in result.out
    assert cli(*node.words, "-h") == result


@every
def test_the_whole_help_has_every_option_and_paragraph(node: Node, cli: Cli) -> None:
    result = cli(*node.words, "--help", "--all")
    assert (result.code, result.err) == (0, "")
    assert result.out == cli("help", *node.words, "--all").out == cli(*node.words, "-h", "--all").out
    assert " -h, --help " in result.out
    assert max(map(len, result.out.splitlines())) <= 80
    text = " ".join(result.out.split())
    for paragraph in (node.command.help or "").split("\n\n"):
        assert " ".join(paragraph.split()) in text
    for name, option in node.options.items():
        assert f" {name}" in text and " ".join((option.help or "").split()) in text


@every
def test_help_prints_the_schema(node: Node, cli: Cli) -> None:
    result = cli(*node.words, "--help", "--schema")
    assert result == cli("help", *node.words, "--schema")
    if "--json" in node.options:
        assert result.json() == schema(node.schema)
    else:
        assert (result.code, result.out) == (2, "") and result.err.startswith(f"error: `{node.path}` prints no JSON")


@pytest.mark.parametrize("name", ["error", "version", "exit-codes"])
def test_help_prints_the_schema_of_what_is_no_command(name: str, cli: Cli) -> None:
    assert cli("help", name, "--schema").json()["$schema"].endswith("2020-12/schema")


@every
def test_help_says_what_each_option_does(node: Node) -> None:
    assert node.command.help and " ".join(node.command.help.split("\n\n")[0].split()).endswith(".")
    for name, option in node.options.items():
        assert option.help and option.help.endswith("."), f"{node.path} {name}"


KINDS = {
    *("FILE", "DIR", "PATH", "PATTERN", "URL", "URL|NAME", "PATH|NAME", "JSON|@FILE", "FILE|JSON"),
    *("NAME", "NAME=VALUE", "NAME[=VALUE]", "NAME:VALUE", "NAME=@FILE", "NAME=MODEL", "API=TYPE,..."),
    *("API", "DISTRO", "DISTRO|NAME|FILE", "FAULTS", "HOST", "ID", "KIND", "MODEL", "PORT", "PROVIDER", "STATE"),
    "TEMPLATE",
    *("DURATION", "N", "NUMBER", "RUN", "TEXT", "mcp:URL"),
}
"""What options take, beside one of several words: a new one is entered here if none of these says it."""


@every
def test_what_an_option_takes_is_said_in_the_same_words_everywhere(node: Node) -> None:
    for name, option in node.options.items():
        if not (option.is_flag or option.count):
            words = value_of(option).split("|")
            one_of_several = len(words) > 1 and all(word == word.lower() for word in words)
            one_of_one = words == ["venv"]
            assert value_of(option) in KINDS or one_of_several or one_of_one, f"{node.path} {name} {value_of(option)}"


@every_command
def test_help_says_what_each_argument_is(node: Node) -> None:
    for argument in node.arguments:
        assert argument.help and argument.help.endswith("."), f"{node.path} {argument.name}"


@every
def test_help_shows_variables_and_defaults(node: Node, cli: Cli) -> None:
    text = " ".join(cli(*node.words, "--help", "--all").out.split())
    for option in node.options.values():
        for variable in [option.envvar] if isinstance(option.envvar, str) else option.envvar or []:
            assert variable in text
        default = option.get_default(node.context, call=False)
        if option.show_default and default not in (None, False, (), []):
            assert f"[default: {default}]" in text


@every
def test_examples_parse(node: Node) -> None:
    assert 1 <= len(node.command.examples) <= 3
    for example in node.command.examples:
        words = shlex.split(example)
        start = words.index("llama") + 1
        ends = [place for place, word in enumerate(words) if place > start and word in ("|", ">", "&&")]
        words = words[start : ends[0] if ends else None]
        here: Any = root()
        parent = here.make_context("llama", list(words))
        while isinstance(here, TyperGroup) and (words := [*parent._protected_args, *parent.args]):
            name, here, words = here.resolve_command(parent, words)
            parent = here.make_context(name, list(words), parent=parent)


def test_a_group_lists_its_files_without_importing_them() -> None:
    commands = find("llama_cli.stack")
    assert commands["list-apis"] == "llama_cli.stack.list_apis"
    assert summary("llama_cli.stack.list_apis") == "List the APIs, with what each is for"


@every
def test_usual_commands_of_a_group_are_there(node: Node) -> None:
    if node.is_group and node.command is not root():
        known = set(node.command.modules)
        assert node.path == "llama" or set(node.command.usual) <= known


@pytest.mark.parametrize("words", [["stack"], ["stack", "--help"]])
def test_a_bare_group_shows_its_help(words: list[str], cli: Cli) -> None:
    result = cli(*words)
    assert result.code == 0
    assert "  list            List distributions: the templates, and what was built\n" in result.out
    assert "\nOther commands:\n" in result.out


def test_help_describes_the_whole_tree(cli: Cli) -> None:
    tree = cli("help", "--json").json()
    conform(tree, "help")

    def paths(node: dict[str, Any]) -> list[str]:
        return [node["command"], *(path for child in node["commands"] for path in paths(child))]

    assert paths(tree) == [node.path for node in EVERYTHING]


def test_help_of_a_command_is_its_help(cli: Cli) -> None:
    assert cli("help", "stack", "ps").out == cli("stack", "ps", "--help").out
    assert cli("help").out == cli("--help").out


def test_the_first_page_leads_to_what_a_first_day_needs(cli: Cli) -> None:
    explained, others = cli("--help").out.split("\nOther commands:\n")
    for name in ("stack", "chat", "models", "model", "doctor", "help"):
        assert f"\n  {name} " in explained
    assert "connect" in others


@pytest.mark.parametrize("words", [["stack", "ps", "--json"], ["exit-codes"], ["environment", "--json"]])
@pytest.mark.parametrize("format", ["man", "markdown"])
def test_a_format_that_cannot_be_is_usage(words: list[str], format: str, cli: Cli) -> None:
    """And nothing but JSON is on standard output with `--json`."""
    result = cli("help", *words, "--format", format)
    message = result.json()["error"]["message"] if "--json" in words else result.err
    assert (result.code, "`--format`: " in message) == (2, True)


def test_help_of_an_unknown_command_is_usage(cli: Cli) -> None:
    result = cli("help", "stack", "pss")
    assert result.code == 2
    assert "there is no command `llama stack pss`" in result.err
    assert cli("help", "chat", "more").code == 2
