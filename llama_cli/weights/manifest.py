"""What a model's folder says of itself: where it came from, and the size and SHA-256 of each of its files.

Knows the file's form. Computes no checksum: `checksums.py`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from runtime.catalog.on_disk import MANIFEST

Source = Literal["huggingface", "meta", "import"]


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    """path: relative, with slashes. sha256: in hexadecimal."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """model_id: the repository or catalog id that it is known by, empty for a model of the user's own. origin: the
    address or path that it came from, without secrets. revision: the hub's commit. added_at: ISO 8601, UTC.
    """

    model_id: str
    source: Source
    origin: str
    revision: str | None
    added_at: str
    files: tuple[FileRecord, ...]

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    def text(self) -> str:
        return json.dumps({"format": 1, **asdict(self)}, indent=1) + "\n"


def read_manifest(folder: Path) -> Manifest | None:
    """None where the folder has none, or one that cannot be understood: it is then as if nothing was recorded."""
    try:
        stated: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = tuple(
            FileRecord(path=str(file["path"]), size_bytes=int(file["size_bytes"]), sha256=str(file["sha256"]))
            for file in stated["files"]
        )
        return Manifest(
            model_id=str(stated["model_id"]),
            source=stated["source"],
            origin=str(stated["origin"]),
            revision=stated["revision"],
            added_at=str(stated["added_at"]),
            files=files,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
