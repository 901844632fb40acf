"""Keeps a stack's secrets out of what our loggers tell the program's handlers.

A server masks what its own handler writes; here the handlers are the program's, and are left as they are.
"""

from __future__ import annotations

import logging

from runtime.server.masking import Hidden

_OURS = "runtime"


class LogMasking:
    """hidden: what no record shows, from `cover` to `uncover`."""

    def __init__(self, hidden: Hidden) -> None:
        self._hidden = hidden
        self._covered: set[logging.Logger] = set()

    def cover(self) -> None:
        """All of our loggers that there are; again after more has been imported. Those of a stack's parts are made when
        it is opened, since a logger's filter does not see what those below it log.
        """
        for name, logger in list(logging.root.manager.loggerDict.items()):
            if isinstance(logger, logging.Logger) and name.partition(".")[0] == _OURS:
                self._covered.add(logger)
                logger.addFilter(self._mask)  # once, however often it is said

    def uncover(self) -> None:
        while self._covered:
            self._covered.pop().removeFilter(self._mask)

    def _mask(self, record: logging.LogRecord) -> bool:
        """Change the record itself. A traceback becomes text, for which every formatter asks first."""
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        record.__dict__.update(self._hidden.masked(record).__dict__, exc_info=None)
        return True
