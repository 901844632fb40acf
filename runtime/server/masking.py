"""Masks secrets in log records and in errors. No code should say a secret; this is for mistakes, and for what upstreams
and drivers of databases quote.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from runtime.redaction import Secrets
from runtime.server.access import AccessLine
from runtime.telemetry.log_fields import fields


class Hidden:
    """The values to mask: in the errors of a stack, and in the log of a process whose stack it is."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._given = frozenset(values)
        self._secrets = Secrets(self._given)

    @property
    def values(self) -> frozenset[str]:
        """What is masked."""
        return self._secrets.values

    def add(self, values: Iterable[str]) -> None:
        """Mask these too from now on, except values with less than 8 characters."""
        self._given |= frozenset(values)
        self._secrets = Secrets(self._given)

    def without(self, value: Any) -> Any:
        """A value without the values to mask; what is not JSON becomes text."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {self.without(name): self.without(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.without(inner) for inner in value]
        return self._secrets.without(str(value))

    def masked(self, record: logging.LogRecord) -> logging.LogRecord:
        """A record without secrets, its message formatted. What cannot be is replaced by a line that says so."""
        try:
            if isinstance(record, AccessLine) and not self._secrets.are_in(record.words()):
                return record
            return self._masked(record)
        except Exception as error:  # `%d` with a word, a field without a text: the thread that writes must go on
            return _failed_line(record, error)

    def _masked(self, record: logging.LogRecord) -> logging.LogRecord:
        shown = copy.copy(record)
        shown.msg, shown.args = self.without(record.getMessage()), None
        for name, value in fields(record).items():
            shown.__dict__[name] = self.without(value)
        if record.exc_text:
            shown.exc_text = self.without(record.exc_text)
        if (request_id := getattr(record, "request_id", None)) is not None:  # a caller may have chosen it
            shown.request_id = self.without(request_id)
        return shown


def _failed_line(record: logging.LogRecord, error: Exception) -> logging.LogRecord:
    """Replaces a line that could not be formatted: says where it was logged, without its message and fields."""
    message = f"a log line failed with {type(error).__name__}, at {record.pathname}:{record.lineno}"
    return logging.LogRecord(record.name, record.levelno, record.pathname, record.lineno, message, None, None)
