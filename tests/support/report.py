"""What stands under a run: what it has not checked, how it checked the rest, and what each layer cost.

Works in one process and under xdist, where tests run in workers and this in the process that gathers their reports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
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
    if lines := not_checked([*terminalreporter.stats.get("skipped", ()), *terminalreporter.stats.get("xfailed", ())]):
        terminalreporter.section("not checked here")  # a skip is easily overlooked in a green line
        for line in lines:
            terminalreporter.write_line(line)
    if notes := config.stash[_NOTES]:
        terminalreporter.section("how it was checked")
        for line in dict.fromkeys(notes):
            terminalreporter.write_line(line)
    seconds: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    for report in (report for kind in terminalreporter.stats.values() for report in kind):
        if not isinstance(report, pytest.TestReport):
            continue
        layer = layer_of(TESTS.parent / report.nodeid.split("::")[0])
        seconds[layer] += report.duration
        tests[layer] += report.when == "call"
    if len(tests) > 1:
        terminalreporter.section("time in tests, added up over the workers")
        for layer in LAYERS:
            if layer in tests:
                terminalreporter.write_line(f"{seconds[layer]:6.1f} s in {tests[layer]} tests of {layer}")


def not_checked(reports: Iterable[pytest.TestReport | pytest.CollectReport]) -> list[str]:
    """A line for each reason in each file. reports: of tests, and of modules that were skipped as a whole."""
    reasons: Counter[str] = Counter()
    for report in reports:
        said = report.longrepr[2] if isinstance(report.longrepr, tuple | list) else str(report.longrepr)
        reason = getattr(report, "wasxfail", said).removeprefix("Skipped: ")
        reasons[f"{report.nodeid.split('::')[0]}: {reason}"] += 1
    return [f"{count} x {reason}" for reason, count in sorted(reasons.items())]
