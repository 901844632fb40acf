"""What a worker leaves out of what it tells changes nothing of what is printed about a run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.messages import leave_out


class _Worker:
    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.sendevent: Any = lambda name, **facts: self.sent.append((name, facts))


def _report(when: str, outcome: str = "passed", duration: float = 0.001, **facts: Any) -> dict[str, Any]:
    report = {"when": when, "outcome": outcome, "duration": duration, "sections": [], "keywords": {"tests": 1}}
    return {"data": report | facts}


@pytest.mark.parametrize(
    "told",
    [
        _report("call"),
        _report("call", "failed"),
        _report("setup", "failed"),
        _report("setup", "skipped"),
        _report("teardown", "failed"),
        _report("setup", duration=0.01),
        _report("teardown", sections=[["Captured log teardown", "a line"]]),
    ],
    ids=lambda told: "{when}-{outcome}".format(**told["data"]),
)
def test_what_is_counted_or_shown_is_told(told: dict[str, Any]) -> None:
    leave_out(worker := _Worker())
    worker.sendevent("testreport", **told)
    assert worker.sent == [("testreport", told)]


@pytest.mark.parametrize("when", ["setup", "teardown"])
def test_a_quick_setup_or_teardown_that_passes_is_not_told(when: str) -> None:
    leave_out(worker := _Worker())
    worker.sendevent("testreport", **_report(when))
    assert not worker.sent


def test_what_steers_the_run_is_told() -> None:
    leave_out(worker := _Worker())
    for name in ("workerready", "logstart", "runtest_protocol_complete", "logfinish", "unscheduled", "workerfinished"):
        worker.sendevent(name, item_index=1)
    assert [name for name, _ in worker.sent] == [
        "workerready", "runtest_protocol_complete", "unscheduled", "workerfinished",
    ]  # fmt: skip


def test_failures_keep_what_selects_them() -> None:
    leave_out(worker := _Worker())
    worker.sendevent("testreport", **_report("call", "failed"))
    worker.sendevent("testreport", **_report("call"))
    assert [facts["data"]["keywords"] for _, facts in worker.sent] == [{"tests": 1}, {}]
