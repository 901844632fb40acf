"""What commands take: the same options everywhere, units, standard input; secrets and questions."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
import typer

from llama_cli.exits import Failure
from llama_cli.options import parse_duration
from llama_cli.terminal import console, prompts
from tests.support.command_tree import COMMANDS, EVERYTHING, Node, calls_in, every, every_command

SHARED = {
    f"--{name}"
    for name in (
        *("config", "url", "json", "quiet", "verbose", "debug", "dry-run", "yes", "timeout", "port", "host", "wide"),
        *("all", "offline", "env", "env-file", "force"),
    )
}
"""Options with one meaning, and so one shape, wherever they are."""
SHORT = dict(
    pair.split()
    for pair in (
        *("-q --quiet", "-f --follow", "-n --tail", "-d --detach", "-y --yes", "-m --model", "-s --system", "-a --all"),
        *("-o --output", "-i --include", "-F --field", "-H --header", "-c --continue", "-h --help", "-v --verbose"),
    )
)
"""What each short option is short for; the same everywhere. A new one is entered here."""
SECRET = re.compile(r"(^|[-_])(api-?key|key|token|secret|password|passphrase|credentials?)$")
DESTRUCTIVE = {"remove", "prune", "delete"}


@every
def test_options_of_every_command_are_accepted(node: Node) -> None:
    assert {"--color", "--verbose", "--no-input", "--debug", "--help"} <= node.options.keys()


@every_command
def test_an_option_has_one_shape_everywhere(node: Node) -> None:
    shapes: dict[str, tuple[bool, bool]] = {}
    for other in EVERYTHING:
        for name, option in other.options.items():
            shapes.setdefault(name, (option.is_flag, option.multiple))
    for name in SHARED & node.options.keys():
        option = node.options[name]
        assert (option.is_flag, option.multiple) == shapes[name], f"{node.path} {name}"


@every_command
def test_short_options_mean_the_same_everywhere(node: Node) -> None:
    for name, option in node.options.items():
        if re.fullmatch("-[a-zA-Z]", name):
            assert SHORT.get(name) in option.opts, f"{node.path}: {name} is short for {SHORT.get(name, 'nothing yet')}"


@every_command
def test_options_are_long_words(node: Node) -> None:
    for option in node.options.values():
        assert any(re.fullmatch(r"--[a-z][a-z0-9]*(-[a-z0-9]+)*", name) for name in option.opts), option.opts
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", node.words[-1])


@every_command
def test_a_secret_is_no_argument(node: Node) -> None:
    for option in node.options.values():
        for name in option.opts:
            if SECRET.search(name.lstrip("-")) and not option.is_flag:
                assert "FILE" in (option.metavar or "") or "VARIABLE" in (option.metavar or ""), (
                    f"{node.path} {name}: others see it in the list of processes; take a variable, a file or a prompt"
                )


@every_command
def test_a_file_can_be_standard_input(node: Node) -> None:
    for param in [*node.arguments, *node.options.values()]:
        if re.search(r"(?<!@)\bFILE\b", param.metavar or ""):
            assert re.search("`-` is (stdin|stdout)", param.help), f"{node.path}: {param.metavar} of `{param.name}`"


@every_command
def test_durations_take_units(node: Node) -> None:
    for name, option in node.options.items():
        if name in ("--timeout", "--since", "--within", "--older-than"):
            assert option.metavar == "DURATION", f"{node.path} {name}"
        if option.metavar == "DURATION":
            assert _converted(option, node, "1m30s") == 90
            if name == "--older-than":  # of what is deleted: who writes `30` may mean days
                with pytest.raises(typer.BadParameter, match="`90` has no unit; write `90d` for days, `90s` for sec"):
                    _converted(option, node, "90")
            else:
                assert _converted(option, node, "90") == 90
            with pytest.raises(typer.BadParameter, match="`soon` is not a duration"):
                _converted(option, node, "soon")


def _converted(option: Any, node: Node, text: str) -> Any:
    return option.type.convert(text, option, node.context)


@every_command
def test_what_asks_can_be_told_beforehand(node: Node) -> None:
    if calls_in(node.module, "confirm") or node.words[-1] in DESTRUCTIVE:
        assert {"--yes", "-y", "--dry-run"} <= node.options.keys(), f"`{node.path}` asks: it takes `--yes`, `--dry-run`"
    else:
        assert "--yes" not in node.options or not calls_in(node.module, "listing")


def test_sizes_take_units() -> None:
    found = [(node, option) for node in COMMANDS for option in node.options.values() if option.metavar == "SIZE"]
    if not found:
        pytest.skip("no command takes a size yet")
    for node, option in found:
        assert _converted(option, node, "8GB") == 8_000_000_000, node.path
        assert _converted(option, node, "1.5GiB") == 1_610_612_736, node.path
        with pytest.raises(typer.BadParameter):
            _converted(option, node, "large")


class Person(io.StringIO):
    """A terminal where someone types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("arguments", "environment", "is_asked"),
    [
        ([], {}, True),
        (["--no-input"], {}, False),
        (["--json"], {}, False),
        ([], {"CI": "1"}, False),
    ],
    ids=["alone", "--no-input", "--json", "CI"],
)
@pytest.mark.parametrize("elsewhere", ["", "stdin", "stderr"])
def test_questions_are_asked_of_a_person_alone(
    arguments: list[str],
    environment: dict[str, str],
    is_asked: bool,
    elsewhere: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CI", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for name in ("stdin", "stderr"):
        monkeypatch.setattr(f"sys.{name}", io.StringIO("y\n") if name == elsewhere else Person("y\n"))
    console.configure(arguments)
    if is_asked and not elsewhere:
        prompts.confirm("remove it", yes=False)
    else:
        with pytest.raises(Failure) as refused:
            prompts.confirm("remove it", yes=False)
        assert (refused.value.code, "--yes" in (refused.value.hint or "")) == (2, True)
    prompts.confirm("remove it", yes=True)
    console.configure([])


@pytest.mark.parametrize("text", ["", "-1", "1x", "1h 30m", "m", "1.5.2s", "h1", "1e3"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("1.5", 1.5), ("90s", 90), ("7d", 604_800), ("1h30m", 5_400), ("250ms", 0.25)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


def test_commands_are_walked() -> None:
    assert len(COMMANDS) > 10
