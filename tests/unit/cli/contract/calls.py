"""How each command is called so that it shows something: the tables that a new command has to be entered in.

The tests that walk over all commands say which entry is missing.
"""

from __future__ import annotations

OUTPUTS: dict[str, list[str]] = {
    "llama help": [],
    "llama stack build": ["starter", "--dry-run"],
    "llama stack list": [],
    "llama stack list-apis": [],
    "llama stack list-deps": ["ci-tests"],
    "llama stack list-providers": ["inspect"],
    "llama stack logs": ["starter"],
    "llama stack ps": ["--all"],
    "llama stack run": ["ci-tests", "--port", "0", "--dry-run"],
    "llama stack show": ["starter"],
    "llama stack status": ["gone"],
    "llama stack stop": ["starter", "--dry-run"],
}
"""Command -> arguments with which it prints data in `tests.support.command_world`, changes nothing and asks nobody."""

PROVEN_ELSEWHERE: dict[str, str] = {
    "llama chat": "tests/processes/test_processes.py::test_chat",
    "llama stack restart": "tests/processes/test_processes.py::test_options_reach_the_server_and_survive_a_restart",
}
"""Command -> the test that holds its real output against its schema, where that takes a server that answers."""

DRY_RUNS: dict[str, list[str]] = {
    "llama stack build": ["starter"],
    "llama stack run": ["starter", "--port", "0"],
    "llama stack stop": ["starter"],
}
"""Command -> arguments with which, but for `--dry-run`, it would change something in that world."""

READS = {
    *("llama help", "llama stack list", "llama stack list-apis", "llama stack list-deps", "llama stack list-providers"),
    *("llama stack logs", "llama stack ps", "llama stack show", "llama stack status"),
}
"""Commands that change nothing that lasts; all others have `--dry-run`."""

TALKS = {"llama chat"}
"""Commands that only send what the user says to a server, which may keep it."""

TAKES_ANYTHING = {"llama chat"}
"""Commands whose argument may be any text."""

GAPS: dict[tuple[str, str], str] = {
    ("test_whatever_changes_something_has_a_dry_run", "llama stack restart"): "restart has no --dry-run yet",
    ("test_a_dry_run_has_the_shape_of_a_real_one", "llama stack build"): "a dry build prints fewer keys",
    ("test_a_dry_run_has_the_shape_of_a_real_one", "llama stack run"): "a dry run prints other keys",
}
"""Test and command -> what is missing. Such a test fails as soon as it holds: then its entry here goes."""
