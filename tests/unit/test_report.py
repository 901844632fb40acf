"""What stands under a run."""

from __future__ import annotations

import pytest

from tests.support.report import not_checked


def skipped(nodeid: str, why: str) -> pytest.TestReport:
    said = ("test_a.py", 1, f"Skipped: {why}")
    return pytest.TestReport(nodeid, ("test_a.py", 1, ""), {}, "skipped", said, "setup")


def test_every_skip_is_told_with_its_reason_also_that_of_a_whole_module() -> None:
    module = pytest.CollectReport("tests/a/test_c.py", "skipped", ("test_c.py", 1, "Skipped: no oracle"), [])
    failing = pytest.TestReport("tests/a/test_d.py::test_x", ("", 1, ""), {}, "skipped", "E assert 0", "call")
    failing.wasxfail = "known"
    tests = [skipped(f"tests/a/test_a.py::test_{name}", "no java") for name in "xy"]
    assert not_checked([module, *tests, failing]) == [
        "2 x tests/a/test_a.py: no java",
        "1 x tests/a/test_c.py: no oracle",
        "1 x tests/a/test_d.py: known",
    ]
