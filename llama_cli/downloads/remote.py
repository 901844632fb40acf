"""What is to be downloaded, as whoever offers it says: a model with its files, where each is and how it is checked."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

from llama_cli.weights.checksums import Digest
from llama_cli.weights.manifest import Source


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """path: relative, with slashes, known to be safe. url: can hold a signature. digest: None where nobody states
    one.
    """

    path: str
    url: str
    size_bytes: int
    digest: Digest | None


@dataclass(frozen=True, kw_only=True)
class RemoteModel:
    """name: of its folder here. model_id, origin, revision: as in the manifest."""

    name: str
    model_id: str
    source: Source
    origin: str
    revision: str | None
    files: tuple[RemoteFile, ...]

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def matches(path: str, patterns: Sequence[str]) -> bool:
    """Whether a path, or its last part, is one of shell patterns; `original/` is everything below it."""
    return any(
        fnmatch.fnmatchcase(path, pattern + "*" if pattern.endswith("/") else pattern)
        or fnmatch.fnmatchcase(path.rpartition("/")[2], pattern)
        for pattern in patterns
    )
