"""Which files say that a server is ready, noted beside its record, so that they go when it does.

    <home>/servers/<id>.ready    a line for each: the server's pid, a blank, the absolute path

Only a file that still holds the document of that very process is removed: another start may have written there since.
Imports only the standard library and `home`.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from runtime.config.home import atomic_write

SUFFIX = ".ready"


class Noted(NamedTuple):
    pid: int
    file: Path


def note(record: Path, *, pid: int, file: Path) -> None:
    """Note a file, before it is written. record: the server's; pid: the server's. Raises OSError."""
    one = Noted(pid, file)
    _write(record, [*(each for each in noted(record) if each != one), one])


def noted(record: Path) -> list[Noted]:
    """All files that are noted for a record; none where they cannot be read."""
    found = []
    with suppress(OSError):
        for line in os.fsdecode(record.with_suffix(SUFFIX).read_bytes()).splitlines():
            pid, _, file = line.partition(" ")
            if pid.isdigit() and file:
                found.append(Noted(int(pid), Path(file)))
    return found


def remove(record: Path, *, pid: int | None = None, but: int | None = None) -> None:
    """Remove the files of one process, or of all but one, and their notes. What cannot be removed stays noted."""
    all_noted = noted(record)
    gone = [one for one in all_noted if one.pid != but and pid in (None, one.pid)]
    kept = [one for one in all_noted if one not in gone or not _is_removed(one)]
    with suppress(OSError):
        if kept:
            _write(record, kept)
        else:
            record.with_suffix(SUFFIX).unlink(missing_ok=True)


def _is_removed(one: Noted) -> bool:
    try:
        if one.file.is_file() and _pid_in(one.file) == one.pid:
            one.file.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _pid_in(file: Path) -> object:
    try:
        document = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return None
    return document.get("pid") if isinstance(document, dict) else None


def _write(record: Path, lines: list[Noted]) -> None:
    text = "".join(f"{one.pid} {one.file}\n" for one in lines)
    atomic_write(record.with_suffix(SUFFIX), text)
