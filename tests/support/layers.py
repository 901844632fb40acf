"""The four layers of the tests, by their folders, and how long a test of each may take.

`scripts/test LAYER` runs one. Those that start processes come first in a run of all: what is long begins early, and
what is short fills the workers to the end.
"""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
FOLDERS = {
    "processes": "processes",
    "conformance": "conformance",
    "models": "models",
    "unit": "unit",
    "architecture": "unit",
}
"""Layer by the first folder below tests/, in the order of a run."""
LAYERS = tuple(dict.fromkeys(FOLDERS.values()))
LIMIT_S = 60.0
"""Of one test with its fixtures, where no process is started."""
PROCESSES_LIMIT_S = 300.0


def layer_of(path: Path) -> str:
    return FOLDERS[path.relative_to(TESTS).parts[0]]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = list(FOLDERS)
    items.sort(key=lambda item: order.index(item.path.relative_to(TESTS).parts[0]))
    for item in items:
        if item.get_closest_marker("timeout") is None:
            limit = LIMIT_S if layer_of(item.path) == "unit" else PROCESSES_LIMIT_S
            item.add_marker(pytest.mark.timeout(limit))
