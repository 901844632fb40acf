"""Python's search for cycles of objects, which passes over what a run makes once: modules, tests and their fixtures.

With Python's own settings an eighth of the unit tests' CPU is spent on looking at these again and again. Tests that
ask what is left behind call `gc.collect`; it finds all that came after the tests were found.
"""

from __future__ import annotations

import gc

import pytest

_OBJECTS_BETWEEN_SEARCHES = 20_000


def pytest_configure() -> None:
    gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_SEARCHES, 20, 20)
    gc.enable()
