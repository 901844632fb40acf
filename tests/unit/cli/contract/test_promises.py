"""Every promise of the command line has a test, or says for what it waits."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.support.command_tree import needed
from tests.unit.cli.contract.promises import PROMISES, Promise

ROOT = Path(__file__).parents[4]


@cache
def known_tests() -> frozenset[str]:
    """The names of all test functions, wherever they lie."""
    found = set()
    for file in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
                found.add(node.name)
    return frozenset(found)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.says)
def test_a_promise_has_a_test(promise: Promise) -> None:
    if promise.why:
        pytest.skip(f"{promise.says}: {promise.why}")
    if promise.until:
        words = promise.until.split()
        path = " ".join(word for word in words if not word.startswith("--"))
        needed(path, *(word for word in words if word.startswith("--")))
        pytest.fail(f"`{promise.until}` is there: name the test that holds `{promise.says}` in promises.py")
    assert set(promise.tests) <= known_tests(), f"renamed? {set(promise.tests) - known_tests()}"


def test_every_section_is_there() -> None:
    sections = {"output", "exit codes", "errors", "input", "help", "speed", "changing", "servers", "ci", "trust"}
    assert {promise.section for promise in PROMISES} == sections
    assert len({promise.says for promise in PROMISES}) == len(PROMISES)
