"""How commands refuse: what, why and what to do, without a traceback, in words and as JSON."""

from __future__ import annotations

import pytest

from tests.support.command_runner import Cli
from tests.support.command_tree import EVERYTHING, Node, every, of_commands
from tests.support.schemas import conform
from tests.unit.cli.contract.calls import TAKES_ANYTHING, TAKES_NAMES

GROUPS = [node for node in EVERYTHING if node.is_group]
UNKNOWN = "zzyzx"


@every
def test_a_mistyped_option_is_usage_with_the_nearest_name(node: Node, cli: Cli) -> None:
    result = cli(*node.words, "--verbos")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: no such option: --verbos\n\nhint: did you mean `--verbose`")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["stak"], "did you mean `llama stack`"),
        (["list-apis"], "did you mean `llama stack list-apis`"),
        (["stack", "chat"], "did you mean `llama chat`"),
        (["stack", "list-prov"], "did you mean `llama stack list-providers`"),
        (["stack", UNKNOWN], "the commands are listed by `llama stack --help`"),
    ],
)
def test_an_unknown_command_names_the_nearest(words: list[str], hint: str, cli: Cli) -> None:
    result = cli(*words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: there is no command `llama {' '.join(words)}`\n\nhint: {hint}")


@pytest.mark.parametrize("group", GROUPS, ids=[node.path for node in GROUPS])
def test_a_shortened_command_is_never_guessed(group: Node, cli: Cli) -> None:
    known = {*group.command.modules, *group.command.older}
    for name in known:
        if name[:-1] not in known and len(name) > 2:  # of less than that nothing is close
            result = cli(*group.words, name[:-1])
            assert (result.code, result.out) == (2, "")
            assert (
                f"`llama {group.command.older[name]}`" in result.err
                if name in group.command.older
                else (f"`{group.path} {name}`" in result.err)
            )


@pytest.mark.parametrize("group", GROUPS, ids=[node.path for node in GROUPS])
def test_an_older_name_leads_to_a_command_that_there_is(group: Node, cli: Cli) -> None:
    paths = {node.path for node in EVERYTHING}
    for older, now in group.command.older.items():
        assert older not in group.command.modules
        assert f"llama {now}" in paths
        result = cli(*group.words, older, "--no-such-thing")
        assert f"warning: `{group.path} {older}` is the older name of `llama {now}`\n" in result.err


@of_commands(lambda node: bool(node.arguments) and node.path not in TAKES_ANYTHING)
def test_an_unknown_name_is_refused_with_what_to_do(node: Node, cli: Cli) -> None:
    count = TAKES_NAMES.get(node.path, max(1, sum(argument.required for argument in node.arguments)))
    options = ["--dry-run"] if "--dry-run" in node.options else []
    result = cli(*node.words, *[UNKNOWN] * count, *options)
    assert result.code == 2, f"{result.err}\nif any text will do, enter the command in TAKES_ANYTHING of calls.py"
    assert result.out == ""
    assert result.err.startswith("error: ") and "\nhint: " in result.err
    assert UNKNOWN in result.err
    assert "Traceback" not in result.err


@of_commands(lambda node: any(argument.required for argument in node.arguments))
def test_what_is_missing_is_named_with_where_to_read_on(node: Node, cli: Cli) -> None:
    result = cli(*node.words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: missing argument `")
    assert f"hint: as in `{node.path} " in result.err and result.err.endswith(f"see `{node.path} --help`\n")


@of_commands(lambda node: "--json" in node.options)
def test_a_refusal_is_an_error_document_with_json(node: Node, cli: Cli) -> None:
    result = cli(*node.words, "--color", "green", "--json")
    error = result.json()["error"]
    conform(result.json(), "error")
    assert (result.code, result.err) == (2, "")
    assert (error["code"], "green" in error["message"]) == (2, True)


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        (("stack", "build", "--template", "starter"), "`llama stack build TEMPLATE` names it without an option"),
        (("stack", "run", "starter", "--image-type", "venv"), "leave it out: each distribution has an environment"),
        (("stack", "build", "starter", "--image-name", "x"), "`--name NAME` is what it is called here"),
    ],
)
def test_an_option_of_the_older_command_line_is_told_by_what_it_is_here(
    typed: tuple[str, ...], hint: str, cli: Cli
) -> None:
    result = cli(*typed)
    assert (result.code, f"no such option: {next(word for word in typed if word[:2] == '--')}" in result.err) == (
        2,
        True,
    )
    assert f"hint: {hint}" in result.err
