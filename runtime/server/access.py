"""The access line of a request: a log record that is cheap to make, and cheap to write as JSON."""

from __future__ import annotations

import logging

NAME = "runtime.server.access"
_COMMON = logging.makeLogRecord(
    {"name": NAME, "msg": "%s %s", "levelno": logging.INFO, "levelname": logging.getLevelName(logging.INFO)}
).__dict__


class AccessLine(logging.LogRecord):
    """The line of one request. duration_ms: of the whole request. overhead_ms: our own part up to the first byte.
    trace_id, span_id: of its span, if it has one. retries: how often its call upstream was sent again; in the line only
    if it was. level: `logging.INFO`, or `logging.DEBUG` for what only looks how the server is.

    Made without `LogRecord.__init__`, which looks up the caller, thread and process: that costs more than all the rest
    of the line.
    """

    def __init__(
        self,
        *,
        method: str,
        path: str,
        request_id: str,
        status: int,
        created: float,
        duration_ms: float,
        overhead_ms: float,
        trace_id: str | None = None,
        span_id: str | None = None,
        retries: int = 0,
        level: int = logging.INFO,
    ) -> None:
        self.__dict__ = {
            **_COMMON,
            "args": (method, path),
            "created": created,
            "request_id": request_id,
            "trace_id": trace_id,
            "span_id": span_id,
            "status": status,
            "duration_ms": duration_ms,
            "overhead_ms": overhead_ms,
        }
        if level != logging.INFO:
            self.__dict__ |= {"levelno": level, "levelname": logging.getLevelName(level)}
        if retries:
            self.__dict__["retries"] = retries

    def words(self) -> str:
        """All its text in one, to be searched for secrets."""
        return f"{self.getMessage()} {self.__dict__['request_id']}"

    def json(self, time: str) -> str | None:
        """The line as JSON; None if its text must be escaped. time: as written in the line."""
        fields, message = self.__dict__, self.getMessage()
        if not _is_plain(message) or not _is_plain(fields["request_id"]):
            return None
        retries = f', "retries": {fields["retries"]}' if "retries" in fields else ""
        trace = f'"trace_id": "{fields["trace_id"]}", ' if fields["trace_id"] is not None else ""
        level = fields["levelname"].lower()
        return (
            f'{{"time": "{time}", "level": "{level}", "logger": "{NAME}", "message": "{message}", '
            f'"request_id": "{fields["request_id"]}", {trace}"status": {fields["status"]}, '
            f'"duration_ms": {fields["duration_ms"]}, "overhead_ms": {fields["overhead_ms"]}{retries}}}'
        )


def _is_plain(text: str) -> bool:
    """Whether JSON writes the text unchanged."""
    return text.isascii() and text.isprintable() and '"' not in text and "\\" not in text
