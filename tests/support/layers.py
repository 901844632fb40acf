"""The four layers of the tests, by their folders: how long a test may take, and what a worker takes as one piece.

`scripts/test LAYER` runs one. Those that start processes come first in a run of all: what is long begins early, and
what is short fills the workers to the end.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

TESTS = Path(__file__).parents[1]
FOLDERS = {
    "processes": "processes",
    "conformance": "conformance",
    "models": "models",
    "architecture": "unit",
    "unit": "unit",
}
"""Layer by the first folder below tests/, in the order of a run. At its end workers take tests from each other, and
each that took one of architecture would parse the whole product for it.
"""
LAYERS = tuple(dict.fromkeys(FOLDERS.values()))
LIMIT_S = 60.0
"""Of one test with its fixtures, where no process is started."""
PROCESSES_LIMIT_S = 300.0


@cache
def _folder_of(path: Path) -> str:
    return path.relative_to(TESTS).parts[0]


def layer_of(path: Path) -> str:
    return FOLDERS[_folder_of(path)]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = list(FOLDERS)
    items.sort(key=lambda item: order.index(_folder_of(item.path)))
    for item in items:
        if item.get_closest_marker("timeout") is None:
            limit = LIMIT_S if layer_of(item.path) == "unit" else PROCESSES_LIMIT_S
            item.add_marker(pytest.mark.timeout(limit))


class ByFileOrSubject(LoadFileScheduling):  # type: ignore[misc]
    """A file is one worker's, so that its fixtures are made once; of a conformance suite, each subject's part of it."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        subject = test.partition("[")[2].rstrip("]").split("-")[0] if "/conformance/" in file else ""
        return f"{file} {subject}"

    def remove_node(self, node: Any) -> str | None:
        """A worker has died. The test at which it did is not run again: it would take the next worker along."""
        left = [
            (tests, test)
            for tests in self.assigned_work[node].values()
            for test, is_completed in tests.items()
            if not is_completed
        ]
        if left:
            tests, test = left[0]
            tests[test] = True
        super().remove_node(node)
        return left[0][1] if left else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFileOrSubject | None:
    """In place of xdist's own `--dist=loadfile`; others are left as they are."""
    return ByFileOrSubject(config, log) if config.option.dist == "loadfile" else None
