"""Where the bytes of files are: what each provider of files implements, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class NewFile:
    """A file that is to be kept. id: ours, by which a backend keeps it unless it gives ids of its own. filename: as
    the sender gave it, so data and never a path.
    """

    id: str
    filename: str = ""
    purpose: str = ""


class FileBackend(Protocol):
    """Keeps bytes by id. Each call raises Unavailable with the backend and the reason while it cannot be used.

    new_file: what the ids begin with by which `put` is asked to keep files. is_local: whether they are on a disk of
    this machine.
    """

    new_file: str
    is_local: bool

    async def check(self) -> None:
        """Do what has to be done before the first file. Called at the start, and whenever somebody asks how it is."""
        ...

    async def put(self, new: NewFile, content: AsyncIterable[bytes]) -> str:
        """Keep a file; returns its id once all of it is permanent. What `content` raises is raised, and then as much as
        was kept may be left: `remove` is called for it.
        """
        ...

    def read(self, file_id: str, begin: int, end: int) -> AsyncGenerator[bytes, None]:
        """The bytes from `begin` to before `end`, as fast as they are taken."""
        ...

    async def remove(self, file_id: str) -> None:
        """Remove a file, or what an interrupted `put` has left of it. One that is not there is no error."""
        ...
