"""The server's log: one JSON line per event in a file, readable lines on a terminal.

Sets only the general level; for categories see `log_levels`. The lines are written by `log_writer`, without the
values that are hidden.
"""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runtime.context import current
from runtime.redaction import is_secret
from runtime.server.access import AccessLine
from runtime.server.log_targets import LogFile, Stream
from runtime.server.log_writer import LogWriter, Target
from runtime.server.masking import Hidden
from runtime.stdio import json_text, one_line, printable
from runtime.telemetry.log_fields import fields
from runtime.telemetry.otlp.settings import secrets_in
from runtime.telemetry.spans import current_span


class _Queued(logging.Handler):
    """Adds request, trace and span in the request's own context, since the writing thread has no context."""

    def __init__(self, writer: LogWriter) -> None:
        super().__init__()
        self._writer = writer

    def handle(self, record: logging.LogRecord) -> bool:
        """Without the lock of `Handler.handle`: the queue has its own."""
        if not hasattr(record, "request_id"):
            context = current()
            record.request_id = context.request_id if context.is_serving else None
            if (span := current_span()) is not None:
                record.trace_id, record.span_id = span.trace.id, span.id
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        self._writer.put(record)
        return True


class JsonLines(logging.Formatter):
    """`{"time", "level", "logger", "message", "request_id"?, "trace_id"?, ...fields, "exception"?}`, times in UTC."""

    def __init__(self) -> None:
        super().__init__()
        self._second, self._until_seconds = -1, ""

    def format(self, record: logging.LogRecord) -> str:
        time = self._time(record.created)
        if isinstance(record, AccessLine) and (text := record.json(time)) is not None:
            return text
        line: dict[str, Any] = {"time": time, "level": record.levelname.lower(), "logger": record.name}
        line["message"] = record.getMessage()
        if getattr(record, "request_id", None):
            line["request_id"] = record.request_id  # type: ignore[attr-defined]  # set by _Queued
        if getattr(record, "trace_id", None):
            line["trace_id"] = record.trace_id  # type: ignore[attr-defined]  # the same
        line |= fields(record)
        if record.exc_text:
            line["exception"] = record.exc_text
        return json_text(line, default=str)

    def _time(self, created: float) -> str:
        """`2023-11-14T22:13:20.250Z`. The seconds are written once for all records of a second."""
        second = int(created)
        if second != self._second:
            self._second, self._until_seconds = second, f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"
        return f"{self._until_seconds}.{int((created - second) * 1000):03d}Z"


class Readable(logging.Formatter):
    """`2026-11-26 12:30:01 info provider started request_id=req_1 provider_id=openai`, for a terminal: local times,
    control characters escaped.
    """

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).strftime("%Y-%m-%d %H:%M:%S")
        request_id = getattr(record, "request_id", None)
        said = ({"request_id": request_id} if request_id else {}) | fields(record)
        shown = "".join(f" {name}={value}" for name, value in said.items())
        text = one_line(f"{time} {record.levelname.lower():<7} {record.getMessage()}{shown}")
        return f"{text}\n{printable(record.exc_text)}" if record.exc_text else text


def set_up(level: str, *, file: Path | None, stderr: bool, hidden: Hidden) -> LogWriter:
    """Send all logs to a file, stderr or both. Other libraries log only warnings and errors. Stop the returned writer
    last of all. hidden: what its lines never show; the secrets of the environment are added. Raises OSError for a file
    that cannot be opened.
    """
    hidden.add(value for name, value in os.environ.items() if is_secret(name) and name != "PWD")  # the shell's folder
    hidden.add(secrets_in(os.environ))
    targets: list[Target] = []
    if file is not None:
        to_file = LogFile(file)
        to_file.setFormatter(JsonLines())
        targets.append(to_file)
    if stderr:
        to_stderr = Stream(sys.stderr)
        to_stderr.setFormatter(Readable() if sys.stderr.isatty() else JsonLines())
        targets.append(to_stderr)
    writer = LogWriter(targets, hidden.masked)
    root = logging.getLogger()
    root.handlers = [_Queued(writer)]
    root.setLevel(logging.WARNING)
    logging.getLogger("runtime").setLevel(level.upper())
    logging.captureWarnings(True)
    return writer
