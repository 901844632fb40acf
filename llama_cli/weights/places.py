"""Which models lie on this disk, and where: those in our own folder, whole or not, and in Hugging Face's cache.

Knows layouts of folders. Reads no weights, and asks nobody.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from llama_cli.exits import ExitCode, Failure
from llama_cli.weights.manifest import Manifest, read_manifest
from runtime import discovery
from runtime.catalog import find, known_names
from runtime.catalog.hub_cache import cached_models
from runtime.catalog.on_disk import stored_folder, stored_folders
from runtime.config.home import models_dir
from runtime.similar import did_you_mean

INCOMPLETE = ".incomplete"
"""Below the folder for models: a folder for each that is not whole yet."""

State = Literal["downloaded", "imported", "unrecorded", "incomplete", "cached"]


@dataclass(frozen=True, kw_only=True)
class ModelOnDisk:
    """name: its folder's, or the repository's in a cache. model_id: what the manifest, or the cache, says. state:
    `unrecorded` was put there by hand. manifest: of what is not whole yet, without files.
    """

    name: str
    model_id: str
    state: State
    folder: Path
    manifest: Manifest | None = None

    @cached_property
    def size_bytes(self) -> int:
        """What the files take, links not counted."""
        return size_of(self.folder)

    @property
    def goes_on_with(self) -> str:
        """The command that brings what is missing, for one that is not whole yet."""
        known = find(self.name)
        model = known.descriptor if known else self.model_id or self.name
        usual = known.folder_name if known else model.rpartition("/")[2]
        source = " --source meta" if self.manifest and self.manifest.source == "meta" else ""
        name = f" --name {self.name}" if self.name != usual else ""
        return f"llama model download {model}{source}{name}"


def models_on_disk() -> list[ModelOnDisk]:
    """All of them: ours, then what is not whole, then Hugging Face's cache."""
    ours = models_dir()
    return [*(_stored(folder) for folder in stored_folders(ours)), *_incomplete(ours / INCOMPLETE), *_cached()]


def shipped_models() -> dict[str, str]:
    """Those that come with a distribution, and the type of the provider whose packages bring them."""
    return {name: spec.provider_type for spec in discovery.built_in().specs for name in spec.ships}


def named(name: str) -> list[ModelOnDisk]:
    """What a name means of what is on this disk: a name of the catalog, of a folder or of a repository."""
    known, wanted = find(name), name.lower()
    return [
        each
        for each in models_on_disk()
        if wanted in (each.name.lower(), each.model_id.lower())
        or (known is not None and known in (find(each.name), find(each.model_id)))
    ]


def model_on_disk(name: str) -> ModelOnDisk:
    """One of ours, whole, by any of its names. Raises Failure (USAGE) with what to do where there is none."""
    folder = stored_folder(models_dir(), name)
    if folder is None:
        raise not_here(name)
    return _stored(folder)


def not_here(name: str, *, is_wanted: bool = True) -> Failure:
    """The failure that it is to name a model that is not one of ours, or not whole, for the caller to raise.
    is_wanted: it is to be used, so that downloading it is a way out.
    """
    here = next(iter(named(name)), None)
    if here is not None and here.state == "incomplete":
        return Failure(f"`{name}` is not whole yet", hint=f"`{here.goes_on_with}` goes on", code=ExitCode.USAGE)
    if here is not None:
        message = f"`{here.name}` lies in Hugging Face's cache, which is not ours: `{here.folder}`"
        hint = f"`llama model import {here.folder}` takes it in; Hugging Face's own `hf cache` looks after the cache"
        return Failure(message, hint=hint, code=ExitCode.USAGE)
    if (provider := shipped_models().get(name)) is not None:
        hint = f"they go with each distribution that has `{provider}`"
        return Failure(f"`{name}` comes with a distribution's packages", hint=hint, code=ExitCode.USAGE)
    message = f"no model `{name}` is on this disk"
    known = find(name) if is_wanted else None
    if known is not None:
        return Failure(message, hint=f"`llama model download {known.descriptor}`", code=ExitCode.USAGE)
    ours = [folder.name for folder in stored_folders(models_dir())]
    others = known_names() if is_wanted else ()
    hint = did_you_mean(name, [*ours, *others]) or "see `llama model list --downloaded`"
    return Failure(message, hint=hint, code=ExitCode.USAGE)


def cached_folder(name: str) -> Path | None:
    """The folder of a repository in Hugging Face's cache."""
    known = find(name)
    wanted = {each.lower() for each in (name, known.hub_repo if known else name)}
    return next((folder for each, folder in cached_models().items() if each.lower() in wanted), None)


def size_of(folder: Path) -> int:
    """Bytes of all regular files below a folder. A link counts nothing, nor does what vanishes meanwhile."""
    total = 0
    if folder.is_symlink():
        return total
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
    return ModelOnDisk(name=folder.name, model_id=model_id, state=state, folder=folder, manifest=manifest)


def _incomplete(folder: Path) -> Iterator[ModelOnDisk]:
    for each in stored_folders(folder):
        manifest, known = read_manifest(each), find(each.name)
        model_id = manifest.model_id if manifest else known.model_id if known else ""
        yield ModelOnDisk(name=each.name, model_id=model_id, state="incomplete", folder=each, manifest=manifest)


def _cached() -> Iterator[ModelOnDisk]:
    for name, folder in cached_models().items():
        yield ModelOnDisk(name=name, model_id=name, state="cached", folder=folder)
