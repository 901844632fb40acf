"""What a test that hangs says: where every thread stands, and what every asyncio task waits for.

pytest-timeout ends such a test by a signal, and the run goes on; it writes the threads, this adds the tasks, which no
traceback shows. Code that hangs in C never sees the signal: about a minute later faulthandler writes all stacks from a
thread of its own and ends the process. Under xdist that is a worker, which is reported with its test and replaced.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import os
import time
import types
from collections.abc import Generator
from typing import Any

import pytest

GRACE_S = 60.0
_REARMED_AFTER_S = 10.0
_STDERR = pytest.StashKey[int]()
_armed_s: tuple[float, float] | None = None
"""For how long, and when; None if nothing is armed."""


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_STDERR] = os.dup(2)  # nothing is captured yet


def pytest_unconfigure(config: pytest.Config) -> None:
    _disarm()
    os.close(config.stash[_STDERR])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    _arm(item)
    try:
        return (yield)
    finally:
        if nextitem is None:
            _disarm()


@pytest.hookimpl(trylast=True)
def pytest_exception_interact(node: pytest.Item | pytest.Collector) -> None:
    # Again, for the teardown: pytest disarms it when a test fails, and pytest-timeout fires once.
    if isinstance(node, pytest.Item):
        _disarm()
        _arm(node)


def _arm(item: pytest.Item) -> None:
    """Armed is a thread that waits, which takes a while to be made and ended: once for the tests of some seconds."""
    global _armed_s
    marker = item.get_closest_marker("timeout")
    limit_s = marker.args[0] if marker is not None and marker.args else None
    if not limit_s:
        _disarm()
        return
    now = time.monotonic()
    if _armed_s is None or _armed_s[0] != limit_s or now - _armed_s[1] > _REARMED_AFTER_S:
        faulthandler.dump_traceback_later(limit_s + GRACE_S, exit=True, file=item.config.stash[_STDERR])
        _armed_s = limit_s, now


def _disarm() -> None:
    global _armed_s
    faulthandler.cancel_dump_traceback_later()
    _armed_s = None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.excinfo is not None and str(call.excinfo.value).startswith("Timeout ("):
        report.sections.append(("asyncio tasks", waiting_tasks()))
    return report


def waiting_tasks() -> str:
    """Every task that has not ended, of whatever loop, with the chain of what it awaits, outermost first."""
    tasks = [thing for thing in gc.get_objects() if issubclass(type(thing), asyncio.Task) and not thing.done()]
    return "\n".join(f"{task.get_name()}\n{_awaited(task.get_coro())}" for task in tasks) or "none"


def _awaited(waiting: Any) -> str:
    lines = []
    while waiting is not None:
        prefix = next((each for each in ("cr", "ag", "gi") if hasattr(waiting, f"{each}_frame")), None)
        frame: types.FrameType | None = getattr(waiting, f"{prefix}_frame", None)
        if frame is None:
            lines.append(f"  {waiting!r}")
            break
        lines.append(f'  File "{frame.f_code.co_filename}", line {frame.f_lineno}, in {frame.f_code.co_qualname}')
        waiting = getattr(waiting, "gi_yieldfrom" if prefix == "gi" else f"{prefix}_await")
    return "\n".join(lines)
