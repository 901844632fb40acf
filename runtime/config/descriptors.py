"""Which of this process's own descriptors a name leads to: `/dev/stdin`, `/dev/fd/3` of `<(...)`, a link to one.

No other process can open such a name, and opening it anew begins again or fails where the descriptor itself goes on.
What it is open on may be a file of the shell's (`> out.txt`), which replacing would take from under it. Standard
library only.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def own_descriptor(path: Path) -> int | None:
    """The number, by whatever way the path leads there; None for anything else. It need not be open."""
    for _ in range(40):  # as many links as Linux follows
        if path.name.isdecimal() and _lists_ours(os.path.realpath(path.parent)):
            return int(path.name)
        with suppress(OSError, ValueError):
            path = path.parent / path.readlink()
            continue
        return None
    return None


def _lists_ours(folder: str) -> bool:
    """Whether it has an entry for each descriptor of this process, or of its threads, which have the same."""
    return folder == "/dev/fd" or (folder.startswith(f"/proc/{os.getpid()}/") and folder.endswith("/fd"))
