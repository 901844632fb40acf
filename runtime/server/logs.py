"""The server's log: one JSON line per event in a file, readable lines on a terminal, written by a thread of its own.

A request never waits for the disk. Secrets are not logged by anybody; as a last line of defence, configured ones are
cut out here.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import queue
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runtime.context import current

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "request_id"}
_FILE_BYTES, _FILES_KEPT = 20 * 1024 * 1024, 3


class _Stamped(logging.handlers.QueueHandler):
    """Notes the request id while the request's context is still there: the writing thread has none."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        if not hasattr(record, "request_id"):
            context = current()
            record.request_id = context.request_id if context.is_serving else None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        return record


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in record.__dict__.items() if name not in _STANDARD}


class JsonLines(logging.Formatter):
    """`{"time", "level", "logger", "message", "request_id"?, ...fields, "exception"?}`, times in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line: dict[str, Any] = {"time": time, "level": record.levelname.lower(), "logger": record.name}
        line["message"] = record.getMessage()
        if getattr(record, "request_id", None):
            line["request_id"] = record.request_id  # type: ignore[attr-defined]  # set by _Stamped
        line |= _fields(record)
        if record.exc_text:
            line["exception"] = record.exc_text
        return json.dumps(line, default=str, ensure_ascii=False)


class Readable(logging.Formatter):
    """`12:30:01 info provider started provider_id=openai`, for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        text = f"{time} {record.levelname.lower():<7} {record.getMessage()}{fields}"
        return f"{text}\n{record.exc_text}" if record.exc_text else text


def set_up(level: str, *, file: Path | None, stderr: bool) -> logging.handlers.QueueListener:
    """Send all logs to a file, stderr or both. Third-party loggers speak from warnings up. Stop the listener last of
    all.
    """
    targets: list[logging.Handler] = []
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        rotating = logging.handlers.RotatingFileHandler(
            file, maxBytes=_FILE_BYTES, backupCount=_FILES_KEPT, encoding="utf-8"
        )
        rotating.setFormatter(JsonLines())
        targets.append(rotating)
    if stderr:
        lines = logging.StreamHandler(sys.stderr)
        lines.setFormatter(Readable() if sys.stderr.isatty() else JsonLines())
        targets.append(lines)
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    listener = logging.handlers.QueueListener(waiting, *targets)
    root = logging.getLogger()
    root.handlers = [_Stamped(waiting)]
    root.setLevel(logging.WARNING)
    logging.getLogger("runtime").setLevel(level.upper())
    logging.captureWarnings(True)
    listener.start()
    return listener
