"""What stands under a run: what it has not checked, how it checked the rest, and what each layer cost.

Works in one process and under xdist, where tests run in workers and this in the process that gathers their reports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.layers import LAYERS, TESTS, layer_of

_NOTES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_NOTES] = []


@pytest.fixture(scope="session")
def note(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Puts a line under the final summary: which of several ways a test took on this machine."""
    return pytestconfig.stash[_NOTES].append


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["notes"] = session.config.stash[_NOTES]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[_NOTES].extend(getattr(node, "workeroutput", {}).get("notes", []))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    reports = [report for kind in terminalreporter.stats.values() for report in kind if hasattr(report, "duration")]
    _tell_skips(terminalreporter, [report for report in reports if report.outcome == "skipped"])
    if notes := config.stash[_NOTES]:
        terminalreporter.section("how it was checked")
        for line in dict.fromkeys(notes):
            terminalreporter.write_line(line)
    seconds: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    for report in reports:
        layer = layer_of(TESTS.parent / report.nodeid.split("::")[0])
        seconds[layer] += report.duration
        tests[layer] += report.when == "call"
    if len(tests) > 1:
        terminalreporter.section("time in tests, added up over the workers")
        for layer in LAYERS:
            if layer in tests:
                terminalreporter.write_line(f"{seconds[layer]:6.1f} s in {tests[layer]} tests of {layer}")


def _tell_skips(terminalreporter: Any, skipped: list[Any]) -> None:
    """A skip is easily overlooked in a green line."""
    reasons: Counter[str] = Counter()
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple | list) else str(report.longrepr)
        place = Path(report.nodeid.split("::")[0]).as_posix()
        reasons[f"{place}: {reason.removeprefix('Skipped: ')}"] += 1
    if reasons:
        terminalreporter.section("not checked here")
        for reason, count in sorted(reasons.items()):
            terminalreporter.write_line(f"{count} x {reason}")
