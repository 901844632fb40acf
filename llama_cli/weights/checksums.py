"""Checksums of a model's files: computed, and held against those that were recorded when it came here.

Knows SHA-256, MD5, git's own digest of a file, and the lists that Meta's downloads bring (`checklist.chk`). Prints
nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from llama_cli.exits import Failure
from llama_cli.weights.manifest import read_manifest
from llama_cli.weights.paths import stays_inside

CHECKLIST = "checklist.chk"
_PIECE = 2**20
_KINDS = {32: "md5", 64: "sha256"}

State = Literal["ok", "differs", "missing"]


@dataclass(frozen=True)
class Digest:
    """kind: `sha256`, `md5`, or `git` for the SHA-1 that git has of a file. value: in hexadecimal."""

    kind: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One file after its check. size_bytes: on the disk, None where it is missing. found: its digest there."""

    path: str
    state: State
    size_bytes: int | None
    expected: str
    found: str | None


def digests(
    file: Path, kinds: set[str], *, count: Callable[[int], None] = lambda size: None, copy: BinaryIO | None = None
) -> dict[str, str]:
    """The digests of a file by kind, read once. count: is told of every piece, in bytes; copy: gets it. Raises
    OSError.
    """
    made = {kind: _started(kind, file) for kind in kinds}
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE):
            for each in made.values():
                each.update(piece)
            if copy is not None:
                copy.write(piece)
            count(len(piece))
    return {kind: each.hexdigest() for kind, each in made.items()}


def expected_digests(folder: Path) -> dict[str, Digest]:
    """What the files of a model must be, by path; no path leads out of the folder. Raises Failure where nothing was
    recorded.
    """
    stated: dict[str, Digest] | None = None
    if manifest := read_manifest(folder):
        stated = {file.path: Digest("sha256", file.sha256) for file in manifest.files}
    elif (folder / CHECKLIST).is_file():
        stated = parse_checklist((folder / CHECKLIST).read_text(encoding="utf-8", errors="replace"))
    if stated is not None:
        return {path: digest for path, digest in stated.items() if stays_inside(path)}
    raise Failure(
        f"there are no checksums of `{folder.name}`: it was put into `{folder.parent}` by hand",
        hint=f"move it elsewhere, and take it in: `llama model import FOLDER --name {folder.name}`",
    )


def check(folder: Path, path: str, expected: Digest, *, count: Callable[[int], None]) -> Checked:
    """Hold one file against its digest. Raises OSError where it cannot be read."""
    file = folder / path
    if not file.is_file():
        return Checked(path=path, state="missing", size_bytes=None, expected=expected.value, found=None)
    found = digests(file, {expected.kind}, count=count)[expected.kind]
    state: State = "ok" if found == expected.value else "differs"
    return Checked(path=path, state=state, size_bytes=file.stat().st_size, expected=expected.value, found=found)


def parse_checklist(text: str) -> dict[str, Digest]:
    """Lines of `DIGEST  PATH`, as `md5sum` and `sha256sum` write them; other lines are left out."""
    found = {}
    for line in text.splitlines():
        value, _, path = line.strip().partition(" ")
        path = path.strip().removeprefix("*").removeprefix("./")
        is_digest = len(value) in _KINDS and all(digit in "0123456789abcdefABCDEF" for digit in value)
        if is_digest and path:
            found[path] = Digest(_KINDS[len(value)], value.lower())
    return found


def _started(kind: str, file: Path) -> hashlib._Hash:
    if kind == "md5":
        return hashlib.md5(usedforsecurity=False)
    if kind == "git":
        return hashlib.sha1(b"blob %d\0" % file.stat().st_size, usedforsecurity=False)
    return hashlib.sha256()
