"""Files in a folder of this machine, each under its id. Every byte is on disk, and its name too, when `put` returns."""

from __future__ import annotations

import asyncio
import errno
import os
import re
from collections.abc import AsyncGenerator, AsyncIterable
from pathlib import Path
from typing import BinaryIO

from runtime.errors import RequestError, Unavailable
from runtime.providers.files._shared.backend import NewFile
from runtime.providers.files._shared.durable import DurableFile, make_folder
from runtime.to_the_end import to_the_end

_READ_BYTES = 1024**2
_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
"""Ids are made here, but also come from archives that are imported: none may lead out of the folder."""


class Folder:
    """Implements `FileBackend`. path: made when it is first needed. name: the provider's, for messages.

    Each method raises RequestError for what cannot be an id of ours.
    """

    new_file = "file-"
    is_local = True

    def __init__(self, path: Path, *, name: str) -> None:
        self._path = path
        self._name = name

    async def check(self) -> None:
        """Raises Unavailable if the folder cannot be made or written."""
        try:
            await asyncio.to_thread(_checked, self._path)
        except OSError as error:
            raise self._unavailable("written", error) from error

    async def put(self, new: NewFile, content: AsyncIterable[bytes]) -> str:
        """Raises Unavailable if the disk is full or cannot be written, and what `content` raises. Nothing is written
        after it has returned, also if the caller is cancelled: so nothing is written after it was removed.
        """
        writing, running = DurableFile(self._place(new.id)), asyncio.get_running_loop()
        try:
            async for chunk in content:
                rest = writing.take(memoryview(chunk))
                while rest:
                    await to_the_end(running.run_in_executor(None, writing.write))
                    rest = writing.take(rest)
            await to_the_end(running.run_in_executor(None, writing.finish))
        except OSError as error:
            raise self._unavailable("written", error) from error
        finally:
            writing.close()
        return new.id

    async def read(self, file_id: str, begin: int, end: int) -> AsyncGenerator[bytes, None]:
        """Raises Unavailable if the file is not there or cannot be read."""
        try:
            file = await asyncio.to_thread(_opened, self._place(file_id), begin)
            try:
                while begin < end and (data := await asyncio.to_thread(file.read, min(_READ_BYTES, end - begin))):
                    begin += len(data)
                    yield data
            finally:
                file.close()
        except OSError as error:
            raise self._unavailable("read", error) from error
        if begin < end:
            raise self._unavailable("read", OSError(0, f"`{file_id}` has only {begin} bytes"))

    async def remove(self, file_id: str) -> None:
        """Raises Unavailable if the folder cannot be written."""
        try:
            await asyncio.to_thread(_removed, self._place(file_id))
        except OSError as error:
            raise self._unavailable("written", error) from error

    def _place(self, file_id: str) -> Path:
        """Of an id; the last of its random digits spreads files over 16 folders."""
        if _ID.fullmatch(file_id) is None:
            raise RequestError("What names a file is not the id of one", hint="an id is letters, digits, `_` and `-`")
        return self._path / file_id[-1] / file_id

    def _unavailable(self, verb: str, error: OSError) -> Unavailable:
        return Unavailable(
            f"files of `{self._name}` cannot be {verb} in `{self._path}`: {error.strerror}",
            hint="check the disk and the permissions of the folder",
            code="storage_unavailable",
        )


def _checked(folder: Path) -> None:
    """Raises OSError if a file could not be made there."""
    make_folder(folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _opened(path: Path, begin: int) -> BinaryIO:
    file = path.open("rb")
    file.seek(begin)
    return file


def _removed(path: Path) -> None:
    path.unlink(missing_ok=True)
