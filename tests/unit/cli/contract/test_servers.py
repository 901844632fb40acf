"""Which server is meant is told in the same ways everywhere: by name or by address, as the argument or with `--url`."""

from __future__ import annotations

import inspect
import re
from importlib import import_module

import pytest

from llama_cli.completing.tree import kinds_of
from tests.support.command_runner import Cli
from tests.support.command_tree import COMMANDS, Node, every_command, of_commands

FINDS = re.compile(
    r"from llama_cli.(asking.address|servers.named) import|from llama_cli.servers import .*(condition|named|waiting)\b"
)
"""What a command imports that looks for a server."""
NO_SERVER_OF_ITS_OWN = {"llama stack diff": "it compares run configs, of which one can be that of a server"}
BESIDE: dict[str, list[str]] = {
    "llama api": ["GET", "/v1/models"],
    "llama chat": ["Hello"],
    "llama complete": ["Hello"],
    "llama connect": ["aider"],
    "llama embed": ["Hello"],
    "llama moderate": ["Hello"],
    "llama stack batch cancel": ["batch_1"],
    "llama stack batch results": ["batch_1"],
    "llama stack batch submit": [__file__, "--endpoint", "/v1/embeddings"],
    "llama stack eval cancel": ["evaljob-1"],
    "llama stack eval compare": ["evaljob-1", "evaljob-2"],
    "llama stack eval run": ["--from-completions", "--model", "m", "--score", "basic::equality"],
    "llama stack explain": ["req_1"],
    "llama stack traces sql": ["SELECT 1"],
    "llama stack wait": ["--timeout", "20ms"],
}
"""Command -> what it needs before it looks for the server."""


def argument_of(node: Node) -> str | None:
    """The metavar of the argument that names a server."""
    return next((one.metavar for one in node.arguments if "servers" in kinds_of(one, node.words)), None)


def is_about_servers(node: Node) -> bool:
    return option_of(node) is not None or argument_of(node) is not None


def option_of(node: Node) -> str | None:
    """The metavar of `--url`, where that names a server."""
    option = node.options.get("--url")
    return option.metavar if option is not None and "servers" in kinds_of(option, node.words) else None


def has_argument(node: Node) -> bool:
    return argument_of(node) is not None


@every_command
def test_what_looks_for_a_server_can_be_told_which(node: Node) -> None:
    source = inspect.getsource(import_module(node.module))
    if FINDS.search(source) and node.path not in NO_SERVER_OF_ITS_OWN:
        assert is_about_servers(node), f"`{node.path}` takes `ServerName` and `--url`, or `--url` alone"
    if is_about_servers(node):
        assert option_of(node) == "URL|NAME"
        assert (argument_of(node) or "[NAME|URL]").startswith("[NAME|URL]")


@of_commands(is_about_servers)
def test_a_name_that_is_none_is_told_as_such(node: Node, cli: Cli) -> None:
    result = cli(*node.words, *BESIDE.get(node.path, []), "--url", "no-such-server")
    assert (result.code, result.err.splitlines()[0]) == (2, "error: there is no server `no-such-server`")


@of_commands(lambda node: is_about_servers(node) and node.path != "llama doctor")
def test_an_address_elsewhere_is_asked_or_it_is_said_why_not(node: Node, cli: Cli) -> None:
    result = cli(*node.words, *BESIDE.get(node.path, []), "--url", "127.0.0.1:9")
    if result.code == 2:
        assert "no server that was started here answers at `127.0.0.1:9`" in result.err
        assert "`llama stack status 127.0.0.1:9` asks it" in result.err
    else:
        assert result.code in (7, 8) and "nothing answers at 127.0.0.1:9" in result.out + result.err


@of_commands(has_argument)
@pytest.mark.parametrize("server", ["no-such-server", "127.0.0.1:9"])
def test_the_argument_and_the_option_mean_the_same(node: Node, server: str, cli: Cli) -> None:
    arguments = [*node.words, *BESIDE.get(node.path, [])]
    by_option, by_argument = cli(*arguments, "--url", server), cli(*arguments, server)
    assert by_option == by_argument
    both = cli(*arguments, server, "--url", server)
    assert both.code == 2 and "name the server once" in both.err


@of_commands(has_argument)
def test_the_environment_s_server_gives_way_to_the_argument(
    node: Node, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_STACK_URL", "http://127.0.0.1:9")
    result = cli(*node.words, *BESIDE.get(node.path, []), "no-such-server")
    assert (result.code, result.err.splitlines()[0]) == (2, "error: there is no server `no-such-server`")


def test_every_entry_is_about_a_command_that_is_there() -> None:
    paths = {node.path for node in COMMANDS}
    assert {*BESIDE, *NO_SERVER_OF_ITS_OWN} <= paths
