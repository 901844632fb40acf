"""What is made once a run and used by every worker of it: builds, converted weights, what was found out.

Workers are processes; the first that asks makes it behind a file lock, and the others find it ready.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

LIMIT_S = 240.0
"""How long others wait for the one that makes it."""


class Shared:
    """A folder of this run. It is removed with pytest's other temporary folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def lock(self, name: str) -> FileLock:
        return FileLock(self.folder / f"{name}.lock", timeout=LIMIT_S)

    def once(self, name: str, make: Callable[[Path], object]) -> Path:
        """The folder `name`, filled by `make(folder)` in whichever process comes first. What fails is tried again."""
        folder = self.folder / name
        done = self.folder / f"{name}.done"
        with self.lock(name):
            if not done.exists():
                folder.mkdir(exist_ok=True)
                make(folder)
                done.touch()
        return folder


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Shared:
    base = tmp_path_factory.getbasetemp()
    # A worker's own folder lies in the run's.
    folder = (base if worker_id == "master" else base.parent) / "shared"
    folder.mkdir(exist_ok=True)
    return Shared(folder)
