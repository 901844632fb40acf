"""What is true of the whole tree is read from it: no process is started."""

from tests.support.process_free import (
    pytest_make_collect_report,
    pytest_runtest_call,
    pytest_runtest_setup,
    pytest_runtest_teardown,
)

__all__ = ["pytest_make_collect_report", "pytest_runtest_call", "pytest_runtest_setup", "pytest_runtest_teardown"]
