"""Names of files that others say: held to lie inside the folder that they are for, on every system.

Knows paths. Opens no file.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from llama_cli.console import ExitCode, Failure
from runtime.catalog.on_disk import MANIFEST

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')
_RESERVED = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(\..*)?", re.IGNORECASE)
_LONGEST_PART, _LONGEST = 255, 1000


def is_safe(path: str) -> bool:
    """Whether a relative path with slashes can be written on every system, and stays below where it begins."""
    parts = path.split("/")
    return (
        len(path) <= _LONGEST
        and _FORBIDDEN.search(path) is None
        and all(_is_safe_part(part) for part in parts)
        and path != MANIFEST
    )


def checked_path(path: str, *, server: str) -> PurePosixPath:
    """The same path. Raises Failure (NETWORK) for one that no server should have named."""
    if not is_safe(path):
        message = f"{server} names a file `{path}`, which is no name of a file inside a model's folder"
        raise Failure(message, hint="nothing was written; is it the server that you meant?", code=ExitCode.NETWORK)
    return PurePosixPath(path)


def _is_safe_part(part: str) -> bool:
    return (
        part not in ("", ".", "..")
        and len(part.encode(errors="replace")) <= _LONGEST_PART
        and not part.endswith((".", " "))
        and _RESERVED.fullmatch(part) is None
    )
