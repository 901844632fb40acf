"""Exit codes have one meaning in all commands, and `llama help exit-codes` says it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import llama_cli
from llama_cli.exits import ExitCode
from tests.support.command_runner import Cli
from tests.support.schemas import conform

SOURCES = sorted(Path(llama_cli.__file__).parent.rglob("*.py"))


def test_exit_codes_are_listed(cli: Cli) -> None:
    lines = cli("help", "exit-codes").out.splitlines()
    assert lines[0] == "0\tdone\tall is as it was asked for"
    assert "5\tconflict\ta port, lock or name is taken" in lines
    rows = cli("help", "exit-codes", "--json").json()
    conform(rows, "help-exit-codes")
    assert [row["code"] for row in rows] == [*range(10), *range(124, 128), 130, 143]


def calls(*names: str) -> Iterator[tuple[Path, ast.Call]]:
    for file in SOURCES:
        source = file.read_text()
        for node in ast.walk(ast.parse(source)) if any(name in source for name in names) else ():
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", None)) in names:
                yield file, node


def test_codes_are_named_wherever_a_command_ends() -> None:
    """So that none is invented: a failure's code is an ExitCode, or what a server or a process has ended with."""
    found = 0
    for file, call in calls("Failure", "Exit", "exit", "_exit"):
        codes = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
        codes += call.args[:1] if getattr(call.func, "id", getattr(call.func, "attr", "")) != "Failure" else []
        for code in codes:
            found += 1
            chosen = [code.body, code.orelse] if isinstance(code, ast.IfExp) else [code]
            is_literal = any(isinstance(one, ast.Constant) and isinstance(one.value, int) for one in chosen)
            assert not is_literal, f"{file}:{call.lineno}: name it, as in `ExitCode.USAGE`"
            if isinstance(code, ast.Attribute) and getattr(code.value, "id", None) == "ExitCode":
                assert code.attr in ExitCode.__members__
    assert found > 20
