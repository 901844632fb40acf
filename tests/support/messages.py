"""What a worker tells the process that gathers reports: not what changes nothing of what that prints.

xdist sends six messages a test. Four of a test that passes, of its beginning, end, setup and teardown, are read and put
aside: a tenth of the unit layer's CPU.
"""

from __future__ import annotations

from typing import Any

import pytest

_SLOW_S = 0.005
"""From here on `--durations` names a setup or a teardown."""


def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.get_verbosity() > 0:
        return  # then the beginning of each test is printed
    for plugin in session.config.pluginmanager.get_plugins():
        if type(plugin).__name__ == "WorkerInteractor":  # its module has no name of its own in a worker
            leave_out(plugin)


def leave_out(worker: Any) -> None:
    """worker: xdist's, in whose `sendevent` everything that it tells arrives."""
    send = worker.sendevent

    def sendevent(name: str, **facts: Any) -> None:
        if name in ("logstart", "logfinish"):
            return
        if name == "testreport":
            report = facts["data"]
            if report["outcome"] == "passed":
                if report["when"] != "call" and report["duration"] < _SLOW_S and not report["sections"]:
                    return
                report["keywords"] = {}
        send(name, **facts)

    worker.sendevent = sendevent
