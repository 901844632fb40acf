"""Every table as it looks on a terminal of 80 columns and in a pipe: snapshots, one file each.

`pytest --update-snapshots tests/unit/cli/contract/test_tables.py` writes them anew; the diff is then to be read.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from llama_cli.main import run
from tests.support.command_runner import Cli
from tests.support.command_tree import COMMANDS, Node, calls_in, of_commands
from tests.unit.cli.contract.calls import NOT_ROWS_ALONE, OUTPUTS, PROVEN_ELSEWHERE, TABLES

SNAPSHOTS = Path(__file__).parents[1] / "snapshots"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def prints_a_table(node: Node) -> bool:
    if node.path in NOT_ROWS_ALONE:
        return node.path in TABLES
    return bool(calls_in(node.module, "listing")) and node.path not in PROVEN_ELSEWHERE


def same(name: str, shown: str, home: Path, *, is_updated: bool) -> None:
    """Held against its snapshot, with what differs from run to run made the same."""
    text = re.sub(r"1m(1[6-9]|[2-5]\d)s", "1m15s", shown.replace(str(home), "HOME"))  # on a machine that is slow
    text = re.sub(r"(?m) +$", "", text)
    file = SNAPSHOTS / name
    if is_updated:
        SNAPSHOTS.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert file.is_file(), f"there is no snapshot {file}: `pytest --update-snapshots {Path(__file__).name}` writes it"
    assert text == file.read_text(encoding="utf-8"), "read it; if it is as it should be, --update-snapshots keeps it"


@of_commands(prints_a_table)
def test_a_table_on_a_terminal(
    node: Node, world: Cli, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    arguments = TABLES.get(node.path) or OUTPUTS[node.path]
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stdout", screen := Terminal())
    run([*node.words, *arguments])
    monkeypatch.undo()
    assert max(map(len, screen.getvalue().splitlines())) <= 80
    is_updated = request.config.getoption("--update-snapshots")
    same(f"{node.schema}.terminal.txt", screen.getvalue(), world.home, is_updated=is_updated)


@of_commands(prints_a_table)
def test_a_table_in_a_pipe(node: Node, world: Cli, request: pytest.FixtureRequest) -> None:
    shown = world(*node.words, *(TABLES.get(node.path) or OUTPUTS[node.path])).out
    is_updated = request.config.getoption("--update-snapshots")
    same(f"{node.schema}.pipe.txt", shown, world.home, is_updated=is_updated)


def test_no_snapshot_is_left_over() -> None:
    expected = {
        f"{node.schema}.{where}.txt" for node in COMMANDS if prints_a_table(node) for where in ("terminal", "pipe")
    }
    assert {file.name for file in SNAPSHOTS.iterdir()} == expected
