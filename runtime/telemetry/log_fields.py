"""What a log record has beside its message: the fields that were logged with it."""

from __future__ import annotations

import logging
from typing import Any

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {
    *("message", "asctime", "taskName"),
    *("request_id", "trace_id", "span_id"),  # which the log adds to every line of a request
}


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """The fields that were logged with a record, beside its message and what it belongs to."""
    return {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
