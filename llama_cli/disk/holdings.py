"""What lies in the Llama home, by kind: what can be made again, what is the user's, what servers have kept.

Knows names of files and folders. Measures and removes nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from llama_cli.disk.sizes import NOTE, noted, size_of
from runtime.config.home import LOCK, REPLAY, SOURCE, distributions_dir, is_distribution_name, llama_home

Kind = Literal["environment", "config", "copies", "logs", "instances", "state", "other"]

_KINDS: dict[str, Kind] = {
    **dict.fromkeys((".venv", ".venv.new", ".venvs", "wheel", LOCK, "requirements.txt", REPLAY), "environment"),
    **dict.fromkeys((".checked", ".build.lock", NOTE), "environment"),
    **dict.fromkeys(("run.yaml", ".rendered", SOURCE), "config"),
    "logs": "logs",
    "instances": "instances",
    "state": "state",
}


class Holding(NamedTuple):
    """A file or folder. kind: in a distribution's folder one of `Kind`, elsewhere in the home its own name."""

    kind: str
    path: Path


def of_distribution(folder: Path) -> list[Holding]:
    """Everything that lies in a distribution's folder, by name."""
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        is_copy = path.name.startswith("run.yaml.") and path.suffix == ".bak"
        kind: Kind = "copies" if is_copy else _KINDS.get(path.name, "other")
        found.append(Holding(kind, path))
    return found


def environment_bytes(folder: Path) -> int:
    """What a distribution's environments take, with all that they are made from. Reads every file's entry."""
    return size_of(holding.path for holding in of_distribution(folder) if holding.kind == "environment")


def bytes_as_noted(folder: Path) -> int | None:
    """What a distribution takes: environments as they were measured last, the rest now. None before the first time."""
    environment = noted(folder)
    if environment is None and (folder / ".venvs").exists():
        return None
    return (environment or 0) + size_of(
        holding.path for holding in of_distribution(folder) if holding.kind != "environment"
    )


def of_home() -> list[Holding]:
    """Everything that lies in the Llama home beside distributions: models, records of servers, logs of ours, ..."""
    home = llama_home()
    distributions = distributions_dir()
    entries = sorted(home.iterdir()) if home.is_dir() else ()
    return [Holding(path.name, path) for path in entries if path != distributions]


def distribution_folders() -> list[Path]:
    """The folders of distributions, by name."""
    home = distributions_dir()
    entries = sorted(home.iterdir()) if home.is_dir() else ()
    return [folder for folder in entries if folder.is_dir() and is_distribution_name(folder.name)]
