"""All commands of `llama`, found by walking the Typer tree, and what tests ask of each."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import pytest
from typer._click.core import Command, Context
from typer.core import TyperGroup, TyperOption

from llama_cli.main import root

TOPICS = {"error", "llama", "version", "help-exit-codes", "help-environment"}
"""Schemas of what is printed by no command of its own."""


class Node(NamedTuple):
    """A command or a group of commands. path: as typed, as in `llama stack ps`."""

    path: str
    command: Any
    context: Context

    @property
    def words(self) -> list[str]:
        """What follows `llama`."""
        return self.path.split()[1:]

    @property
    def schema(self) -> str:
        """The name of the schema of its JSON, if it prints any."""
        return "-".join(self.words) or "llama"

    @property
    def is_group(self) -> bool:
        return isinstance(self.command, TyperGroup)

    @property
    def options(self) -> dict[str, TyperOption]:
        stated = [param for param in self.command.get_params(self.context) if isinstance(param, TyperOption)]
        return {name: param for param in stated for name in param.opts}

    @property
    def arguments(self) -> list[Any]:
        return [param for param in self.command.get_params(self.context) if not isinstance(param, TyperOption)]

    @property
    def module(self) -> str:
        """Of the file that states it."""
        callback = inspect.unwrap(self.command.callback)
        return str(inspect.getmodule(callback).__name__)  # type: ignore[union-attr]


def walk(here: Command, context: Context) -> Iterator[Node]:
    yield Node(context.command_path, here, context)
    if isinstance(here, TyperGroup):
        for name in here.list_commands(context):
            child = here.get_command(context, name)
            assert child is not None
            yield from walk(child, Context(child, info_name=name, parent=context))


EVERYTHING = list(walk(root(), Context(root(), info_name="llama")))
COMMANDS = [node for node in EVERYTHING if not node.is_group]
BY_PATH = {node.path: node for node in EVERYTHING}

every = pytest.mark.parametrize("node", EVERYTHING, ids=[node.path for node in EVERYTHING])
every_command = pytest.mark.parametrize("node", COMMANDS, ids=[node.path for node in COMMANDS])


def of_commands(fits: Callable[[Node], bool]) -> Any:
    """`every_command` of those that fit."""
    chosen = [node for node in COMMANDS if fits(node)]
    return pytest.mark.parametrize("node", chosen, ids=[node.path for node in chosen])


def needed(path: str, *options: str) -> Node:
    """The command of that path; without it, or one of these options of it, the test is skipped, for all to see."""
    node = BY_PATH.get(path)
    if node is None:
        pytest.skip(f"there is no `{path}` yet")
    if missing := [option for option in options if option not in node.options]:
        pytest.skip(f"`{path}` has no {', '.join(missing)} yet")
    return node


def calls_in(module: str, name: str) -> list[ast.Call]:
    """The calls of a function, or of a method, by that name in a module's source."""
    return [
        call for call in _all_calls_in(module) if getattr(call.func, "id", getattr(call.func, "attr", None)) == name
    ]


@cache
def _all_calls_in(module: str) -> list[ast.Call]:
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
