"""Which models lie on this disk, and where: those in our own folder, whole or not, and in Hugging Face's cache.

Knows layouts of folders. Reads no weights, and asks nobody.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from llama_cli.console import ExitCode, Failure
from llama_cli.weights.manifest import Manifest, read_manifest
from runtime.catalog import find, known_names
from runtime.catalog.hub_cache import cached_models
from runtime.catalog.on_disk import stored_folder, stored_folders
from runtime.config.home import models_dir
from runtime.errors import did_you_mean

INCOMPLETE = ".incomplete"
"""Below the folder for models: a folder for each that is not whole yet."""

State = Literal["downloaded", "imported", "unrecorded", "incomplete", "cached"]


@dataclass(frozen=True, kw_only=True)
class ModelOnDisk:
    """name: its folder's, or the repository's in a cache. model_id: what the manifest, or the cache, says. state:
    `unrecorded` was put there by hand. size_bytes: what the files take, links not counted.
    """

    name: str
    model_id: str
    state: State
    folder: Path
    size_bytes: int
    manifest: Manifest | None = None


def models_on_disk() -> list[ModelOnDisk]:
    """All of them: ours, then what is not whole, then Hugging Face's cache."""
    ours = models_dir()
    return [*(_stored(folder) for folder in stored_folders(ours)), *_incomplete(ours / INCOMPLETE), *_cached()]


def model_on_disk(name: str) -> ModelOnDisk:
    """One of ours, by any of its names. Raises Failure (USAGE) with what to do where there is none."""
    folder = stored_folder(models_dir(), name)
    if folder is None:
        raise not_here(name)
    return _stored(folder)


def not_here(name: str) -> Failure:
    """The failure that it is to name a model that is not on this disk, for the caller to raise."""
    message = f"no model `{name}` is on this disk"
    known = find(name)
    if known is not None:
        return Failure(message, hint=f"`llama model download {known.descriptor}`", code=ExitCode.USAGE)
    here = [folder.name for folder in stored_folders(models_dir())]
    hint = did_you_mean(name, [*here, *known_names()]) or "see `llama model list --downloaded`"
    return Failure(message, hint=hint, code=ExitCode.USAGE)


def cached_folder(name: str) -> Path | None:
    """The folder of a repository in Hugging Face's cache."""
    known = find(name)
    wanted = {each.lower() for each in (name, known.hub_repo if known else name)}
    return next((folder for each, folder in cached_models().items() if each.lower() in wanted), None)


def size_of(folder: Path) -> int:
    """Bytes of all regular files below a folder. What vanishes meanwhile counts nothing."""
    total = 0
    for inside, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.lstat(os.path.join(inside, name))  # noqa: PTH118
            except OSError:
                continue
            # A file that is being written has a length, and fewer blocks.
            total += min(status.st_size, status.st_blocks * 512) if stat.S_ISREG(status.st_mode) else 0
    return total


def _stored(folder: Path) -> ModelOnDisk:
    manifest = read_manifest(folder)
    known = find(folder.name)
    model_id = manifest.model_id if manifest else known.model_id if known else ""
    state: State = "unrecorded" if manifest is None else "imported" if manifest.source == "import" else "downloaded"
    return ModelOnDisk(
        name=folder.name, model_id=model_id, state=state, folder=folder, size_bytes=size_of(folder), manifest=manifest
    )


def _incomplete(folder: Path) -> Iterator[ModelOnDisk]:
    for each in stored_folders(folder):
        known = find(each.name)
        model_id = known.model_id if known else ""
        yield ModelOnDisk(name=each.name, model_id=model_id, state="incomplete", folder=each, size_bytes=size_of(each))


def _cached() -> Iterator[ModelOnDisk]:
    for name, folder in cached_models().items():
        yield ModelOnDisk(name=name, model_id=name, state="cached", folder=folder, size_bytes=size_of(folder))
