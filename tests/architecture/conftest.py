"""What is true of the whole tree is read from it: no process is started."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.process_free import (
    pytest_make_collect_report,
    pytest_runtest_call,
    pytest_runtest_setup,
    pytest_runtest_teardown,
)
from tests.support.sources import forget

__all__ = ["pytest_make_collect_report", "pytest_runtest_call", "pytest_runtest_setup", "pytest_runtest_teardown"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(nextitem: pytest.Item | None) -> Generator[None, object, object]:
    try:
        return (yield)
    finally:
        if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
            forget()
