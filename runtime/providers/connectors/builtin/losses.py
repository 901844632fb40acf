"""A session that can no longer be used."""

from __future__ import annotations

from runtime.errors import StackError


class SessionLost(Exception):
    """error: what a caller is told. may_have_run: whether the server may have done what it was asked."""

    def __init__(self, error: StackError, *, may_have_run: bool) -> None:
        super().__init__(error.message)
        self.error = error
        self.may_have_run = may_have_run
