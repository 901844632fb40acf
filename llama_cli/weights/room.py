"""Whether a disk has room for what is to come; and where it had none, for which file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llama_cli.exits import Failure
from llama_cli.terminal import words

_MARGIN_BYTES = 64 * 2**20
"""Left free on the disk, for whoever else writes there."""


def check_room(name: str, needed_bytes: int, folder: Path) -> None:
    """Raises Failure where the disk of a folder, which need not exist yet, has less room than a model needs."""
    place = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(place).free
    if needed_bytes and needed_bytes + _MARGIN_BYTES > free:
        raise Failure(
            f"`{name}` needs {words.size(needed_bytes)}, and {words.size(free)} are free in `{place}`",
            hint="free some space, or set `LLAMA_HOME` to a folder elsewhere",
        )


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the file in every OSError of the block: the system names none where a write fails."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
