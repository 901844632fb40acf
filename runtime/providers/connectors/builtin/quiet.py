"""Keeps out of the log what libraries log of our sessions: what is sent and to which address, secrets included. We
raise what goes wrong.

What a program that has the stack as a library logs by the same loggers, of sessions of its own, is not touched.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar, Token

_LIBRARIES = ("mcp", "client", "httpx2", "httpcore2")
"""The loggers, each with those below it."""
_is_session: ContextVar[bool] = ContextVar("is_session_of_ours", default=False)


class quiet:  # used as a function
    """Nothing of what these libraries log in a `with quiet():` is told, nor of what tasks log that begin there."""

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token: Token[bool] = _is_session.set(True)

    def __exit__(self, *_: object) -> None:
        _is_session.reset(self._token)


def hush() -> None:
    """Also of loggers that have come since the last call. A logger's filter does not see the records of those below."""
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and name.partition(".")[0] in _LIBRARIES:
            logger.addFilter(_is_told)  # once, however often it is said


def _is_told(_: logging.LogRecord) -> bool:
    return not _is_session.get()
