"""What commands change: `--dry-run` says it beforehand and does nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.command_runner import Cli
from tests.support.command_tree import Node, every_command, of_commands
from tests.support.schemas import SCHEMAS, conform
from tests.unit.cli.contract.calls import DRY_RUNS, PASSES_ON, PROVEN_ELSEWHERE, READS, TALKS

CALLS = "tests/unit/cli/contract/calls.py"


def everything_in(folder: Path) -> dict[str, tuple[int, int]]:
    """Times and sizes of all files."""
    found = {path: path.lstat() for path in folder.rglob("*")}
    return {str(path): (stat.st_mtime_ns, stat.st_size) for path, stat in found.items()}


@every_command
def test_whatever_changes_something_has_a_dry_run(node: Node) -> None:
    if node.path in READS | TALKS:
        assert "--dry-run" not in node.options
        return
    assert "--dry-run" in node.options, (
        f"`{node.path}` has no --dry-run; if it changes nothing, enter it in READS of {CALLS}"
    )


@of_commands(lambda node: "--dry-run" in node.options)
def test_a_dry_run_changes_nothing_and_says_what_it_would(node: Node, world: Cli) -> None:
    if node.path in PROVEN_ELSEWHERE:
        pytest.skip(f"held by {PROVEN_ELSEWHERE[node.path]}")
    if node.path not in DRY_RUNS:
        pytest.fail(f"`{node.path}` has --dry-run: enter in DRY_RUNS of {CALLS} how it is called")
    before = everything_in(world.home.parent)
    said = world(*node.words, "--dry-run", *DRY_RUNS[node.path])
    assert said.code == 0, said.err
    assert "would" in said.out + said.err
    if "--json" in node.options:
        document = world(*node.words, *DRY_RUNS[node.path], "--dry-run", "--json").json()
        conform(document, node.schema)
    assert everything_in(world.home.parent) == before


@of_commands(lambda node: "--yes" in node.options and node.path in DRY_RUNS)
def test_what_goes_and_how_much_is_said_before_anyone_agrees(node: Node, world: Cli) -> None:
    before = everything_in(world.home.parent)
    refused = world(*node.words, *DRY_RUNS[node.path])
    assert (refused.code, refused.out) == (2, "")
    assert re.search(r"\d (bytes|[kMG]B)\b", refused.err) and "hint: add `--yes`" in refused.err
    assert everything_in(world.home.parent) == before


@of_commands(lambda node: {"--dry-run", "--json"} <= node.options.keys() and node.path not in PASSES_ON)
def test_a_dry_run_has_the_shape_of_a_real_one(node: Node) -> None:
    schema = json.loads((SCHEMAS / f"{node.schema}.json").read_text())
    assert not {"anyOf", "oneOf"} & schema.keys(), "one shape, with null where only a real run knows"
