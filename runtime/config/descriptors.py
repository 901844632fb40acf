"""Which file descriptor of this process a path refers to: `/dev/stdin`, `/dev/fd/3` of `<(...)`, a link to one.

Such a path means something only in this process. Opening it again starts from the beginning, or fails, while the
descriptor itself continues. Behind it may be a file that the shell has open (`> out.txt`): replacing that file would
take it away from the shell. Standard library only.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def own_descriptor(path: Path) -> int | None:
    """The descriptor's number, also through links; None for any other path. The descriptor may be closed."""
    for _ in range(40):  # as many links as Linux follows
        if path.name.isdecimal() and _lists_ours(os.path.realpath(path.parent)):
            return int(path.name)
        with suppress(OSError, ValueError):
            path = path.parent / path.readlink()
            continue
        return None
    return None


def _lists_ours(folder: str) -> bool:
    """Whether the folder lists the descriptors of this process (or of one of its threads, which share them)."""
    return folder == "/dev/fd" or (folder.startswith(f"/proc/{os.getpid()}/") and folder.endswith("/fd"))
