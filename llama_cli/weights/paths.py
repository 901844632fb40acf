"""Names of files that others say: held to lie inside the folder that they are for, on every system.

Knows paths. Opens no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath, PurePosixPath

from llama_cli.exits import ExitCode, Failure
from runtime.catalog.on_disk import MANIFEST

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\\ud800-\udfff]')
_RESERVED = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(\..*)?", re.IGNORECASE)
_LONGEST_PART, _LONGEST = 255, 1000


def is_safe(path: str) -> bool:
    """Whether a relative path with slashes can be written on every system, and stays below where it begins."""
    parts = path.split("/")
    return (
        len(path) <= _LONGEST
        and _FORBIDDEN.search(path) is None
        and all(_is_safe_part(part) for part in parts)
        and path.casefold() != MANIFEST
    )


def stays_inside(path: str) -> bool:
    """Whether a relative path stays below where it begins, on this system."""
    return not PurePath(path).is_absolute() and ".." not in PurePath(path).parts


def checked_path(path: str, *, server: str) -> str:
    """The same path. Raises Failure (NETWORK) for one that no server should have named."""
    if not is_safe(path):
        message = f"{server} names a file `{path}`, which is no name of a file inside a model's folder"
        raise Failure(message, hint="nothing was written; is it the server that you meant?", code=ExitCode.NETWORK)
    return path


def check_apart(paths: Iterable[str], *, server: str) -> None:
    """Raises Failure (NETWORK) where two of them are one file, or one a folder of the other, on a system that knows no
    case.
    """
    seen: dict[str, str] = {}
    for path in sorted(paths, key=str.casefold):
        places = [path.casefold(), *(folder.as_posix().casefold() for folder in PurePosixPath(path).parents)]
        other = next((seen[place] for place in places if place in seen), None)
        if other is not None:
            message = f"{server} has two files in one place, `{other}` and `{path}`"
            raise Failure(message, hint=f"leave one out: `--ignore '{path}'`", code=ExitCode.NETWORK)
        seen[places[0]] = path


def _is_safe_part(part: str) -> bool:
    return (
        part not in ("", ".", "..")
        and len(part.encode(errors="replace")) <= _LONGEST_PART
        and not part.endswith((".", " "))
        and _RESERVED.fullmatch(part) is None
    )
