"""The server's log: one JSON line per event in a file, readable lines on a terminal, written by a thread of its own.

So a request never waits for the disk. No code should log a secret; to be safe, the values of secret environment
variables and those passed to `hide` are masked here. Sets only the general level; for categories see `log_levels`.
"""

from __future__ import annotations

import copy
import logging
import logging.handlers
import os
import queue
import re
import stat
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from runtime.config.redaction import MASK, is_secret
from runtime.context import current
from runtime.stdio import json_text, one_line, printable

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "request_id"}
_FILE_BYTES, _FILES_KEPT = 20 * 1024 * 1024, 3
_SECRET_LENGTH = 8
"""Shorter values are words (`EMPTY`, `dummy`): masking them would damage the log and hide nothing."""


class _Stamped(logging.handlers.QueueHandler):
    """Adds the request id in the request's own context, since the writing thread has no context."""

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
        return json_text(line, default=str)


class Readable(logging.Formatter):
    """`12:30:01 info provider started provider_id=openai`, for a terminal; control characters are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        text = one_line(f"{time} {record.levelname.lower():<7} {record.getMessage()}{fields}")
        return f"{text}\n{printable(record.exc_text)}" if record.exc_text else text


class _OwnFile(logging.handlers.RotatingFileHandler):
    """A log file, also an existing one, that only its owner can read; the same for a folder that is made for it."""

    def __init__(self, file: Path) -> None:
        if not file.parent.is_dir():
            file.parent.parent.mkdir(parents=True, exist_ok=True)
            file.parent.mkdir(mode=0o700, exist_ok=True)
        super().__init__(file, maxBytes=_FILE_BYTES, backupCount=_FILES_KEPT, encoding="utf-8")

    def _open(self) -> TextIOWrapper:
        opened = open(  # noqa: SIM115  # the handler closes it
            self.baseFilename, self.mode, encoding=self.encoding, errors=self.errors, opener=_owner_only
        )
        assert isinstance(opened, TextIOWrapper)
        return opened


def _owner_only(path: str, flags: int) -> int:
    # Opening a pipe must not wait for a reader. Writing may block, since the log has its own thread.
    fd = os.open(path, flags | os.O_NONBLOCK, 0o600)
    os.set_blocking(fd, True)
    found = os.fstat(fd)
    if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():  # not `/dev/null`, which stays open to everybody
        os.fchmod(fd, 0o600)
    return fd


class _Masking(logging.handlers.QueueListener):
    """Formats messages and masks secrets on the writing thread, once for all targets.

    Formatting a line may fail (`%d` with a word, a field without a text). An exception here would end the thread, and
    all later lines would be lost.
    """

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        try:
            return _masked(record)
        except Exception as error:
            return _failed_line(record, error)


class _Hidden:
    """The values to mask. pattern: matches any of them, the longest first; None if there are none."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self.pattern: re.Pattern[str] | None = None

    def add(self, values: Iterable[str]) -> None:
        self._values |= {value for value in values if len(value) >= _SECRET_LENGTH}
        ordered = sorted(self._values, key=len, reverse=True)
        self.pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None


_hidden = _Hidden()  # a process has one root logger, so one set of values to mask


def hide(values: Iterable[str]) -> None:
    """Mask these values in every line from now on, except values with less than 8 characters."""
    _hidden.add(values)


def _masked(record: logging.LogRecord) -> logging.LogRecord:
    shown = copy.copy(record)
    shown.msg, shown.args = _without_secrets(record.getMessage()), None
    for name, value in _fields(record).items():
        shown.__dict__[name] = _without_secrets(value)
    if record.exc_text:
        shown.exc_text = _without_secrets(record.exc_text)
    return shown


def _failed_line(record: logging.LogRecord, error: Exception) -> logging.LogRecord:
    """Replaces a line that could not be formatted: says where it was logged, without its message and fields."""
    message = f"a log line failed with {type(error).__name__}, at {record.pathname}:{record.lineno}"
    return logging.LogRecord(record.name, record.levelno, record.pathname, record.lineno, message, None, None)


def _without_secrets(value: Any) -> Any:
    """A value with masked secrets; a value that is not JSON becomes text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {_without_secrets(name): _without_secrets(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(inner) for inner in value]
    text = str(value)
    return _hidden.pattern.sub(MASK, text) if _hidden.pattern else text


def set_up(level: str, *, file: Path | None, stderr: bool) -> logging.handlers.QueueListener:
    """Send all logs to a file, stderr or both. Other libraries log only warnings and errors. Stop the returned listener
    last of all.
    """
    hide(value for name, value in os.environ.items() if is_secret(name) and name != "PWD")  # the shell's folder
    targets: list[logging.Handler] = []
    if file is not None:
        rotating = _OwnFile(file)
        rotating.setFormatter(JsonLines())
        targets.append(rotating)
    if stderr:
        lines = logging.StreamHandler(sys.stderr)
        lines.setFormatter(Readable() if sys.stderr.isatty() else JsonLines())
        targets.append(lines)
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    listener = _Masking(waiting, *targets)
    root = logging.getLogger()
    root.handlers = [_Stamped(waiting)]
    root.setLevel(logging.WARNING)
    logging.getLogger("runtime").setLevel(level.upper())
    logging.captureWarnings(True)
    listener.start()
    return listener
