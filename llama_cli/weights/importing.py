"""Takes a model of the user's into our own folder: a GGUF file, a Hugging Face folder or a Meta checkpoint.

Knows which files belong to it and how they get here: a second name for the same bytes where the disk can have one, else
a copy, or a link that leads to them. What the engine would refuse is refused before anything is written.
"""

from __future__ import annotations

import os
import shutil
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_cli.console import ExitCode, Failure
from llama_cli.weights.checksums import digests
from llama_cli.weights.manifest import FileRecord, Manifest, read_manifest
from llama_cli.weights.places import INCOMPLETE
from runtime.catalog import find
from runtime.catalog.hub_cache import hub_snapshot
from runtime.catalog.on_disk import MANIFEST
from runtime.config.home import NAME_HINT, atomic_write, is_distribution_name, models_dir, private_folder
from runtime.errors import Unavailable

_LARGEST_COUNT = 2**20


@dataclass(frozen=True, kw_only=True)
class Found:
    """A model that can be taken in. kind: in words. files: path inside its folder here -> where it lies now. name: what
    it would be called.
    """

    kind: str
    files: dict[str, Path]
    name: str
    origin: Path

    @property
    def size_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.files.values())


def find_model(path: Path) -> Found:
    """The model at a path. Raises Failure: USAGE where there is none, FAILED for one that is damaged, or of a kind that
    the engine does not read.
    """
    if not path.exists():
        hint = "give the path of a GGUF file, or of a folder with a checkpoint"
        raise Failure(f"there is nothing at `{path}`", hint=hint, code=ExitCode.USAGE)
    # A link in a cache has a name, and what it leads to has none.
    given = Path(os.path.abspath(path))  # noqa: PTH100
    try:
        return _found(given)
    except Unavailable as error:  # in a server's words
        raise Failure(error.message.rstrip("."), hint=error.hint) from error


def _found(given: Path) -> Found:
    from runtime.engine.checkpoint_kinds import locate

    repository, place = hub_snapshot(given) or ("", given)
    name = repository.rpartition("/")[2]
    place = locate(place)
    if place.is_file():
        _check_gguf(place)
        beside = {place.name: place}
        return Found(kind="GGUF file", files=beside, name=name or place.stem, origin=place)
    kind = _checked_folder(place)
    files = {
        file.relative_to(place).as_posix(): file
        for file in sorted(place.rglob("*"))
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(place).parts)
    }
    return Found(kind=kind, files=files, name=name or place.name, origin=place)


def checked_name(name: str) -> str:
    """The same name. Raises Failure (USAGE) for one that cannot be that of a folder."""
    if not is_distribution_name(name):
        raise Failure.of_option("--name", f"`{name}` cannot name a model", hint=NAME_HINT)
    return name


def take_in(found: Found, name: str, *, link: bool, count: Callable[[int], None]) -> tuple[Manifest, bool]:
    """Put it into `<home>/models/<name>`: its manifest, and whether anything was done. count: is told of every piece
    that is read, in bytes.

    Raises Failure (CONFLICT) where that is another model, OSError where it cannot be written.
    """
    target = models_dir() / name
    records = tuple(
        FileRecord(path=path, size_bytes=file.stat().st_size, sha256=digests(file, {"sha256"}, count=count)["sha256"])
        for path, file in found.files.items()
    )
    if target.exists():
        there = read_manifest(target)
        if there is not None and there.files == records:
            return there, False
        hint = f"give this one another name with `--name`, or first `llama model remove {name}`"
        raise Failure(f"`{name}` is another model: `{target}`", hint=hint, code=ExitCode.CONFLICT)
    known = find(name) or find(found.name)
    manifest = Manifest(
        model_id=known.model_id if known else "",
        source="import",
        origin=str(found.origin),
        revision=None,
        added_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        files=records,
    )
    half = target.parent / INCOMPLETE / f".{name}.{os.urandom(4).hex()}"
    private_folder(half)
    try:
        for path, file in found.files.items():
            private_folder((half / path).parent)
            _bring(file, half / path, link=link)
        atomic_write(half / MANIFEST, manifest.text())
        half.rename(target)
    except BaseException:
        shutil.rmtree(half, ignore_errors=True)
        raise
    return manifest, True


def _bring(file: Path, target: Path, *, link: bool) -> None:
    if link:
        target.symlink_to(file)
        return
    real = file.resolve()
    try:
        os.link(real, target)
    except OSError:  # another disk, or one without second names
        shutil.copy2(real, target)


def _check_gguf(file: Path) -> None:
    """Raises Failure where the first bytes are not those of a GGUF file (its magic, version and counts)."""
    with file.open("rb") as opened:
        head = opened.read(24)
    hint = "download or convert the file again"
    if len(head) < 24 or head[:4] != b"GGUF":
        raise Failure(f"`{file}` is no GGUF file: it begins with {head[:4]!r}", hint=hint)
    version, tensors, facts = struct.unpack("<IQQ", head[4:])
    if version not in (2, 3) or tensors > _LARGEST_COUNT or facts > _LARGEST_COUNT:
        raise Failure(f"`{file}` is no GGUF file that can be read here: its version is {version}", hint=hint)


def _checked_folder(folder: Path) -> str:
    """What kind of folder it is. Raises Failure where a file that it names is missing, and Unavailable for what the
    engine refuses.
    """
    from runtime.engine.checkpoint_kinds import is_embedding_model, read_json, refuse_folder

    has_weights = any(folder.glob("*.safetensors"))
    is_meta = (folder / "params.json").is_file() and not ((folder / "config.json").is_file() and has_weights)
    facts = read_json(folder / ("params.json" if is_meta else "config.json"))
    refuse_folder(folder, facts)
    if is_meta:
        missing = [] if any(folder.glob("consolidated.*.pth")) else ["consolidated.00.pth"]
    else:
        index = folder / "model.safetensors.index.json"
        named: Any = read_json(index).get("weight_map") if index.is_file() else None
        files = {str(file) for file in named.values()} if isinstance(named, dict) else set()
        missing = sorted(file for file in files if not (folder / file).is_file())
        missing += [] if has_weights or missing else ["model.safetensors"]
    if missing:
        message = f"`{folder}` is not whole: `{missing[0]}` is missing"
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise Failure(message + more, hint="download what is missing, then import it")
    if is_meta:
        return "Meta checkpoint"
    return "embedding model" if is_embedding_model(folder, facts) else "Hugging Face folder"
