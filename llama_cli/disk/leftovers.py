"""What nobody needs any more: records, state folders and logs of servers that have ended, environments that nothing
runs from, what killed commands have left.

Finds and removes it. What a server runs from, what users have edited and what servers have kept is never among it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_cli.disk.holdings import distribution_folders
from llama_cli.disk.lock import locked
from llama_cli.disk.removing import HALF_REMOVED
from llama_cli.disk.sizes import Measured
from llama_cli.packages.environment import Environment
from llama_cli.packages.temporary import abandoned
from llama_cli.servers import records
from llama_cli.servers.records import Record
from runtime.clock import wall_time
from runtime.config.home import environment_dir, llama_home, private_folder, servers_dir
from runtime.errors import Conflict
from runtime.trees import remove_tree

KEPT_S = 7 * 86_400.0
"""How long logs and copies of what was edited are kept, unless another age is given."""

_ABANDONED_S = 3_600.0
"""How old a half-written file is before nobody can be writing it any more."""
_HALF_WRITTEN = re.compile(r"\..+\.[0-9a-f]{12}")


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """A thing that nobody needs. kind: what it is, in a word; record: the ended server's, where it is one."""

    kind: str
    path: Path
    size_bytes: int
    record: Record | None = None

    def facts(self) -> dict[str, Any]:
        return {"kind": self.kind, "path": str(self.path), "size_bytes": self.size_bytes}


def find(*, older_than_s: float | None = None) -> list[Leftover]:
    """All of it, by kind and path. older_than_s: only what was not touched for so long, logs and copies too."""
    now = wall_time()
    all_records = records.records()
    measured = Measured()
    found = []
    for kind, path, least_s, record in _candidates(all_records):
        with suppress(FileNotFoundError):
            if now - path.lstat().st_mtime >= (least_s if older_than_s is None else max(older_than_s, _floor(least_s))):
                found.append(Leftover(kind=kind, path=path, size_bytes=measured.add(path), record=record))
    return sorted(found, key=lambda one: (one.kind, one.path))


def remove(leftovers: Iterable[Leftover]) -> list[Leftover]:
    """Remove them. Returns those that went: what has come to be used meanwhile stays."""
    gone = []
    for one in leftovers:
        if one.record is not None:
            records.forget(one.record)
        elif one.kind == "environment":
            _delete_environment(one.path)
        elif one.kind == "instance":
            _delete_instance(one.path)
        elif one.kind != "log" or _writer(one.path) not in {record.id for record in records.alive_records()}:
            _delete(one.path)
        if not one.path.exists():
            gone.append(one)
    return gone


_Candidate = tuple[str, Path, float, Record | None]


def _floor(least_s: float) -> float:
    """The age below which something can be in use, whatever age was asked for."""
    return least_s if least_s == _ABANDONED_S else 0.0


def _candidates(known: list[Record]) -> Iterator[_Candidate]:
    """Kind, place, how old it has to be, and whose record it is."""
    for record in known:
        if not record.alive:
            yield "record", record.path, 0.0, record
    for file in (llama_home() / "logs").glob("cli-*.log"):
        yield "incident", file, KEPT_S, None
    for file in servers_dir().glob(".*"):
        yield from _half_written(file)
    for folder in distribution_folders():
        yield from _of_distribution(folder, [record for record in known if record.alive])
    for place in abandoned():
        yield "half-locked", place, 0.0, None


def _of_distribution(folder: Path, alive: list[Record]) -> Iterator[_Candidate]:
    for place in (folder / "instances").glob("*"):
        if not _keeps_state(place, alive):
            yield "instance", place, 0.0, None
    ids = {record.id for record in alive}
    for file in (folder / "logs").glob("*"):
        if _writer(file) not in ids:
            yield "log", file, KEPT_S, None
    for file in folder.glob("run.yaml.*.bak"):
        yield "copy", file, KEPT_S, None
    for place in folder.glob(f"{HALF_REMOVED}*"):
        yield "half-removed", place, 0.0, None
    for file in folder.glob(".*"):
        yield from _half_written(file)
    for environment in (Environment(folder), Environment(environment_dir(folder, for_replay=True))):
        if not environment.is_held():
            for place in environment.unused([Path(record.python) for record in alive if record.python]):
                yield "environment", place, 0.0, None


def _half_written(file: Path) -> Iterator[_Candidate]:
    if _HALF_WRITTEN.fullmatch(file.name):
        yield "half-written", file, _ABANDONED_S, None


def _keeps_state(place: Path, alive: Iterable[Record]) -> bool:
    return os.path.realpath(place) in {record.real_state_dir for record in alive}


def _writer(log_file: Path) -> str:
    """The id of the server that a log is of."""
    return re.sub(r"\.(log(\.\d+)?|stderr)$", "", log_file.name)


def _delete_instance(path: Path) -> None:
    """Unless a server has come to keep its state there meanwhile. It is out of the way before the next one can."""
    trash = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    with locked(private_folder(servers_dir())):
        if _keeps_state(path, records.alive_records()):
            return
        with suppress(OSError):
            path.rename(trash)
    _delete(trash)


def _delete_environment(path: Path) -> None:
    """Unless it is being built, or has come to be used meanwhile."""
    environment = Environment(path.parent.parent)
    with suppress(Conflict), environment.held():
        in_use = [Path(record.python) for record in records.alive_records() if record.python]
        if path in environment.unused(in_use):
            _delete(path)


def _delete(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        else:
            path.unlink(missing_ok=True)
