"""Takes a distribution off the disk: first says what goes and what stays, then does it.

What goes leaves its place at once and is then deleted, so that whoever comes in between finds nothing half there; what
a killed command leaves of that, `prune` finds. Knows nothing of how a distribution is built.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_cli.disk import holdings
from llama_cli.disk.holdings import Holding
from llama_cli.disk.sizes import Measured
from llama_cli.packages.environment import Environment
from llama_cli.packages.run_yaml import is_edited
from llama_cli.servers import records
from llama_cli.servers.records import Record
from runtime.errors import Conflict
from runtime.trees import remove_tree

HALF_REMOVED = ".removed-"


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What removing a distribution comes to. goes, stays: with their bytes; what has several names is counted with the
    first. ended: records of its servers, which go too. shared_bytes: of what goes, but lies elsewhere too.
    """

    name: str
    folder: Path
    goes: list[tuple[Holding, int]]
    stays: list[tuple[Holding, int]]
    ended: list[Record]
    shared_bytes: int

    @property
    def is_anything(self) -> bool:
        """Whether anything of it goes."""
        return bool(self.goes or self.ended)

    @property
    def freed_bytes(self) -> int:
        return sum(size_bytes for _, size_bytes in self.goes) - self.shared_bytes

    def facts(self) -> dict[str, Any]:
        """What `--json` shows of it, before and after."""

        def rows(held: Iterable[tuple[Holding, int]]) -> list[dict[str, Any]]:
            return [{"kind": one.kind, "path": str(one.path), "size_bytes": size_bytes} for one, size_bytes in held]

        facts = {"name": self.name, "folder": str(self.folder), "removed": rows(self.goes), "kept": rows(self.stays)}
        sizes = {"freed_bytes": self.freed_bytes, "shared_bytes": self.shared_bytes}
        return {**facts, "servers": [record.id for record in self.ended], **sizes}


def removal_of(folder: Path, *, with_state: bool) -> Removal:
    """What goes, and what stays: what servers have kept, an edited run.yaml and its copies, and what is not ours.

    with_state: all of that goes too. Raises Conflict where a server of it runs.
    """
    of_it = [record for record in records.records() if record.name == folder.name]
    for record in of_it:
        if record.alive:
            where = f"at {record.url}" if record.url else f"({record.seen_state})"
            raise Conflict(
                f"`{folder.name}` cannot be removed while its server `{record.id}` runs {where}",
                hint=f"stop it first: `llama stack stop {record.id}`",
            )
    kept_kinds = set() if with_state else {"state", "copies", "other"}
    if not with_state and is_edited(folder):
        kept_kinds.add("config")
    held = holdings.of_distribution(folder)
    measured = Measured()
    goes = [(one, measured.add(one.path)) for one in held if one.kind not in kept_kinds]
    shared_bytes = measured.shared_bytes
    stays = [(one, measured.add(one.path)) for one in held if one.kind in kept_kinds]
    return Removal(name=folder.name, folder=folder, goes=goes, stays=stays, ended=of_it, shared_bytes=shared_bytes)


def remove(folder: Path, *, with_state: bool) -> Removal:
    """Do it. Returns what went. Raises Conflict where a server of it runs, or it is being built."""
    with Environment(folder).held():
        removal = removal_of(folder, with_state=with_state)
        trash = folder / f"{HALF_REMOVED}{os.getpid()}"
        trash.mkdir(exist_ok=True)
        for record in removal.ended:
            records.forget(record)
        for holding, _ in removal.goes:
            holding.path.replace(trash / holding.path.name)
        remove_tree(trash)  # `prune` may be at it, too
        with suppress(OSError):  # it is not empty, or a link of the user's to a folder elsewhere
            folder.rmdir()
    return removal
