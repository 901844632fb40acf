"""Unit tests start no process, call no other machine and load no model code."""

from tests.support.process_free import only_this_process, pytest_make_collect_report

__all__ = ["only_this_process", "pytest_make_collect_report"]
