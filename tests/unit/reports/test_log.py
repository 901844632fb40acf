"""`tests/reports.md` names tests that exist, and each report once."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[2]
ROW = re.compile(r"^\| (?P<says>[^|]+) \| (?P<whence>[^|]+) \| (?P<tried>[^|]+) \| (?P<verdict>[^|]+) \|$")
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
VERDICTS = ("held", "mended", "not ours")


def rows() -> list[dict[str, str]]:
    """The rows of the table, without its head."""
    lines = (TESTS / "reports.md").read_text().splitlines()
    table = [line for line in lines if line.startswith("|")]
    found = [ROW.match(line) for line in table[2:]]
    assert all(found), table
    return [row.groupdict() for row in found if row]


def functions_of(path: str) -> set[str]:
    tree = ast.parse((TESTS / path).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_each_report_has_a_verdict_and_a_test_that_exists() -> None:
    for row in rows():
        assert row["verdict"].startswith(VERDICTS), row
        named = NAMED.findall(row["verdict"])
        assert named or row["verdict"].startswith("not ours"), row
        for path, function in named:
            assert function in functions_of(path), f"{path} has no {function}"


def test_no_report_is_there_twice() -> None:
    numbers = [number for row in rows() for number in re.findall(r"[\w.-]+#\d+", row["whence"])]
    assert len(numbers) >= len(rows()) and sorted(set(numbers)) == sorted(numbers)
