"""What is true of the whole tree is read from it: no process is started."""

from tests.support.process_free import only_this_process, pytest_make_collect_report

__all__ = ["only_this_process", "pytest_make_collect_report"]
