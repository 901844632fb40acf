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
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from llama_cli.exits import ExitCode, Failure
from llama_cli.weights.checksums import digests
from llama_cli.weights.held import held
from llama_cli.weights.hidden import hidden_folder, sweep
from llama_cli.weights.manifest import FileRecord, Manifest, read_manifest
from llama_cli.weights.places import shipped_models
from llama_cli.weights.room import check_room, writing
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
    from runtime.engine.checkpoints.kinds import locate

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
    """The same name. Raises Failure (USAGE) for one that cannot be that of a folder, or means a model of ours."""
    if not is_distribution_name(name):
        raise Failure.of_option("--name", f"`{name}` cannot name a model", hint=NAME_HINT)
    if name.lower() in (shipped.lower() for shipped in shipped_models()):
        raise Failure.of_option("--name", f"`{name}` comes with us", hint="call yours otherwise, with `--name`")
    return name


def is_there(found: Found, name: str, *, count: Callable[[int], None]) -> bool:
    """Whether it is here under this name. count: is told of every piece that is read, in bytes. Raises Failure
    (CONFLICT) where that is another model.
    """
    target = models_dir() / name
    if not target.exists():
        return False
    records = (
        FileRecord(path=path, size_bytes=file.stat().st_size, sha256=digests(file, {"sha256"}, count=count)["sha256"])
        for path, file in found.files.items()
    )
    there = read_manifest(target)
    if there is None or there.files != tuple(records):
        hint = f"give this one another name with `--name`, or first `llama model remove {name}`"
        raise Failure(f"`{name}` is another model: `{target}`", hint=hint, code=ExitCode.CONFLICT)
    return True


def take_in(found: Found, name: str, *, link: bool, count: Callable[[int], None]) -> None:
    """Put it into `<home>/models/<name>`, where nothing is yet. count: is told of every piece that is read, in bytes.

    Raises Failure where there is no room for it, OSError where it cannot be written. What was begun is then gone.
    """
    sweep()
    half = hidden_folder(name)
    files = half / "files"  # beside the lock, which is held until they are in place
    with held(half):
        try:
            records = tuple(_bring(path, file, files, link=link, count=count) for path, file in found.files.items())
            known = find(name) or find(found.name)
            manifest = Manifest(
                model_id=known.model_id if known else "",
                source="import",
                origin=str(found.origin),
                revision=None,
                added_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                files=records,
            )
            atomic_write(files / MANIFEST, manifest.text())
            files.rename(models_dir() / name)
        finally:
            shutil.rmtree(half, ignore_errors=True)


def _bring(path: str, file: Path, folder: Path, *, link: bool, count: Callable[[int], None]) -> FileRecord:
    """Put a file where it belongs, read once: for its digest, and where it must be copied for that too."""
    target = folder / path
    private_folder(target.parent)
    copy: BinaryIO | None = None
    if link:
        target.symlink_to(file)
    else:
        try:
            os.link(file.resolve(), target)
        except OSError:  # another disk, or one without second names
            check_room(file.name, file.stat().st_size, folder)
            copy = os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    with writing(target), copy or nullcontext():
        sha256 = digests(file, {"sha256"}, count=count, copy=copy)["sha256"]
    return FileRecord(path=path, size_bytes=target.stat().st_size, sha256=sha256)


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
    from runtime.engine.checkpoints.kinds import is_embedding_model, read_json, refuse_folder

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
    if not is_embedding_model(folder, facts):
        return "Hugging Face folder"
    return "reranking model" if "ForSequenceClassification" in str(facts.get("architectures")) else "embedding model"
