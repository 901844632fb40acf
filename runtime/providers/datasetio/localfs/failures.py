"""What cannot be read or written of the datasets: callers are told what failed, and the log where."""

from __future__ import annotations

import logging
from pathlib import Path

from runtime.errors import Unavailable

UNAVAILABLE = "storage_unavailable"
log = logging.getLogger(__name__)
_HINT = "check the disk, the permissions of the folder, and the server's log"


def unavailable(folder: Path, verb: str, why: str) -> Unavailable:
    """folder: of the datasets. verb: what could not be done with them. why: may name files in it."""
    log.error("datasets unavailable", extra={"folder": str(folder), "error": f"not {verb}: {why}"})
    words = why.replace(f"{folder}/", "").replace(str(folder), ".")
    return Unavailable(f"the datasets could not be {verb}: {words}", hint=_HINT, code=UNAVAILABLE)


def damaged(path: Path, why: str) -> Unavailable:
    """path: of what is known about one dataset."""
    log.error("dataset unavailable", extra={"path": str(path), "error": why})
    return Unavailable(
        f"what is known about the rows of the dataset cannot be read: {why}",
        hint="restore the file that the server's log names, or unregister the dataset and register it anew",
        code="rows_unreadable",
    )
