"""The folders of datasets. Whatever ends the process, a dataset is as it was before a change or after it.

    datasets/<digest of a key>/manifest.json     written anew and moved here; what it does not name does not exist
                                <id>.parquet     parts, moved here before the manifest names them
                                new              until it is known that its registration was kept
    temporary/                                   what is not whole yet; nobody's after a start
    removed/                                     what was forgotten, on its way out

Knows no database.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from runtime.errors import Unavailable
from runtime.ids import new_id
from runtime.providers.datasetio.localfs.failures import damaged
from runtime.providers.datasetio.localfs.manifest import FORMAT, Manifest, Written
from runtime.sse import encode

_MANIFEST, _NEW = "manifest.json", "new"
_decode = msgspec.json.Decoder(Manifest).decode


class Places:
    """All of a provider's datasets, below its folder, each by a key of its own. Each method raises OSError, unless it
    says something else.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.temporary = folder / "temporary"
        self._datasets = folder / "datasets"
        self._removed = folder / "removed"

    def prepare(self, named: Collection[str]) -> None:
        """Make the folders, and remove what a process that was killed has left. named: the keys of the datasets that
        are registered. To be called once, before anything else.
        """
        for folder in (self.folder, self._datasets):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.temporary, self._removed):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
        kept = {place_of(name) for name in named}
        for place in self._datasets.iterdir():
            if (place / _NEW).exists():
                if place.name not in kept:
                    self._remove(place)
                    continue
                (place / _NEW).unlink()
            with suppress(Unavailable):  # which whoever asks for it is told
                self._tidy(place)

    def manifest(self, key: str) -> Manifest | None:
        """What is known about a dataset; None where there are no rows of it. Raises Unavailable where that cannot be
        read.
        """
        return self._read(self.folder_of(key))

    def folder_of(self, key: str) -> Path:
        """Where its parts are."""
        return self._datasets / place_of(key)

    def keep(self, key: str, manifest: Manifest, new: Sequence[Written], *, is_new: bool = False) -> None:
        """Let a dataset be what a manifest says, with its new parts. is_new: whether it is removed at the next start
        unless it is registered then. It is on disk when this returns; if it raises, nothing has changed.
        """
        place = self.folder_of(key)
        if not place.exists():
            place.mkdir(mode=0o700)
            if is_new:
                (place / _NEW).touch(mode=0o600)
            _sync(self._datasets)
        for written in new:
            written.path.rename(place / written.part.file)
        draft = self.temporary / new_id("")
        _drafted(draft, encode(manifest))
        _sync(place)
        draft.rename(place / _MANIFEST)
        _sync(place)

    def is_kept(self, key: str) -> None:
        """Its registration was kept: it is no longer new."""
        (self.folder_of(key) / _NEW).unlink(missing_ok=True)

    def forget(self, key: str) -> None:
        """Remove a dataset with all its rows."""
        self._remove(self.folder_of(key))

    def _remove(self, place: Path) -> None:
        """At once, as far as anybody can see: its files go after that."""
        if place.exists():
            leaving = self._removed / new_id("")
            place.rename(leaving)
            _sync(self._datasets)
            shutil.rmtree(leaving, ignore_errors=True)

    def _read(self, place: Path) -> Manifest | None:
        path = place / _MANIFEST
        try:
            found = _decode(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise damaged(path, error.strerror or type(error).__name__) from error
        except msgspec.DecodeError as error:
            raise damaged(path, str(error)) from error
        if found.format != FORMAT:
            raise damaged(path, f"it has the format {found.format}, of another version of this server")
        return found

    def _tidy(self, place: Path) -> None:
        """Remove the parts that no manifest names. Raises Unavailable for a manifest that cannot be read."""
        found = self._read(place)
        named = {part.file for part in found.parts} if found else set()
        for path in place.glob("*.parquet"):
            if path.name not in named:
                path.unlink(missing_ok=True)


def place_of(key: str) -> str:
    """The name of a dataset's folder: a key may be any text."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()[:40]


def _drafted(path: Path, content: bytes) -> None:
    """Write a file; it is on disk when this returns."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Make the names in a folder permanent."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
