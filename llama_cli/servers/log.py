"""Reads the log of a managed server, also of one that has crashed: JSON objects, one a line, rotated by size.

Knows the fields `time`, `level`, `message`, `request_id` that every line has, and the names of rotated files
(`starter.log.1` is the newest). A line that is no JSON (a traceback written while the interpreter came up) is kept as a
message. Prints nothing.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, get_args

from llama_cli.options import Level
from runtime.config.home import distributions_dir
from runtime.stdio import one_line

LEVELS: tuple[Level, ...] = get_args(Level)

_NO_FIELDS = ("time", "level", "message", "logger", "exception")
_POLL_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which entries to keep. since: from then on; level: this and worse, one of LEVELS; request_id: of one request."""

    since: datetime | None = None
    level: str | None = None
    request_id: str | None = None

    def keeps(self, entry: Mapping[str, Any]) -> bool:
        if self.request_id is not None and entry.get("request_id") != self.request_id:
            return False
        if self.level is not None and _rank(entry) < LEVELS.index(self.level):
            return False
        return self.since is None or (when := _when(entry)) is None or when >= self.since


def left_behind(server_id: str) -> Path | None:
    """The log of a server without a record, such as one that never became ready; the newest where there are several."""
    logs = [log for log in distributions_dir().glob("*/logs/*.log") if log.stem == server_id]
    return max(logs, key=lambda log: log.stat().st_mtime, default=None)


def follow(
    log_file: Path, wanted: Wanted, *, is_running: Callable[[], bool] = lambda: False
) -> Iterator[dict[str, Any]]:
    """The entries of a log and of its rotated files, oldest first, until the server has ended and its last line is
    read. is_running: by default no more are waited for.
    """
    for path in _rotated(log_file):
        yield from _kept(path.read_bytes(), wanted)
    file: BinaryIO | None = None
    try:
        while True:
            is_last_round = not is_running()
            if file is None and log_file.exists():
                file = log_file.open("rb")
            if file is not None:
                is_replaced = _is_replaced(file, log_file)  # first: what comes before the rotation is in the old file
                yield from _kept(_new_lines(file, with_half=is_last_round), wanted)
                if is_replaced:
                    file.close()
                    file = None
                    continue
            if is_last_round:
                return
            time.sleep(_POLL_S)
    finally:
        if file is not None:
            file.close()


def lines(log_file: Path, wanted: Wanted) -> Iterator[bytes]:
    """The lines of a log and of its rotated files as they are written, oldest first: those whose entries are kept."""
    for path in [*_rotated(log_file), *([log_file] if log_file.exists() else [])]:
        for line in path.read_bytes().splitlines():
            entry = _parse(line)
            if entry is not None and wanted.keeps(entry):
                yield line + b"\n"


def last_lines(path: Path, count: int, *, since_byte: int = 0, beyond: str = "") -> list[str]:
    """The last lines of a file that say something new, as a person reads them.

    since_byte: where to begin; a file that is shorter was rotated and is new from its start. beyond: what is said
    anyway: lines that only repeat a part of it are left out.
    """
    if not path.exists():
        return []
    data = path.read_bytes()
    entries = [_parse(line) for line in data[since_byte if since_byte <= len(data) else 0 :].splitlines()]
    known = " ".join(beyond.split())
    return [describe(entry) for entry in entries if entry is not None and not _repeats(entry, known)][-count:]


def _repeats(entry: Mapping[str, Any], known: str) -> bool:
    said, why = (" ".join(str(entry.get(name) or "").split()) for name in ("message", "error"))
    is_known = any(said.removeprefix(prefix) in known for prefix in ("error: ", "hint: ", ""))
    return is_known or (why != "" and why in known)


def describe(entry: Mapping[str, Any]) -> str:
    """`2026-11-26 12:03:04 INFO  provider started provider_id=openai`; times are local.

    One line, whatever was logged: nothing in it can pass for another entry. Only a traceback follows on lines of its
    own, indented.
    """
    when = _when(entry)
    parts = [when.strftime("%Y-%m-%d %H:%M:%S")] if when else []
    if entry.get("level"):
        parts.append(f"{str(entry['level']).lower():7}")
    parts.append(str(entry.get("message", "")))
    parts += [f"{key}={value}" for key, value in entry.items() if key not in _NO_FIELDS and value is not None]
    traceback = str(entry.get("exception") or "").split("\n")
    return "\n  ".join(one_line(text) for text in (" ".join(parts), *(line for line in traceback if line)))


def _kept(data: bytes, wanted: Wanted) -> Iterator[dict[str, Any]]:
    entries = (_parse(line) for line in data.splitlines())
    return (entry for entry in entries if entry is not None and wanted.keeps(entry))


def _new_lines(file: BinaryIO, *, with_half: bool) -> bytes:
    """What was written since. The half line that its writer has not finished is left for the next time."""
    data = file.read()
    half = b"" if with_half else data[data.rfind(b"\n") + 1 :]
    file.seek(-len(half), os.SEEK_CUR)
    return data[: len(data) - len(half)]


def _is_replaced(file: BinaryIO, path: Path) -> bool:
    """Whether the log has been rotated since the file was opened."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return True
    return not os.path.samestat(os.fstat(file.fileno()), there) or there.st_size < file.tell()


def _rotated(log_file: Path) -> list[Path]:
    """`.2`, `.1`, ...: oldest first."""
    numbered = [path for path in log_file.parent.glob(f"{log_file.name}.*") if path.suffix[1:].isdigit()]
    return sorted(numbered, key=lambda path: -int(path.suffix[1:]))


def _parse(line: bytes) -> dict[str, Any] | None:
    text = line.decode("utf-8", "replace").strip()
    if not text:
        return None
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return {"message": text}
    return entry if isinstance(entry, dict) else {"message": text}


def _rank(entry: Mapping[str, Any]) -> int:
    """A line without a level counts as an error: it is what an interpreter prints when it goes down."""
    level = str(entry.get("level") or "error").lower()
    return LEVELS.index(level) if level in LEVELS else LEVELS.index("info")


def _when(entry: Mapping[str, Any]) -> datetime | None:
    try:
        when = datetime.fromisoformat(str(entry["time"]))
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone()
    except (KeyError, ValueError, OverflowError):  # the last for a year that has no place in the calendar
        return None
