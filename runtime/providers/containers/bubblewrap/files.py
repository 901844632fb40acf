"""The files of containers as the API has them: a row for each that is in the folder, and how one is read and added."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterable
from typing import Any

from runtime.apis._carriers import Download
from runtime.apis.containers.container_file import FOLDER, ContainerFile
from runtime.clock import stamp
from runtime.errors import Conflict, NotFound, RequestError, TooLarge, Unavailable
from runtime.ids import new_position, ordered_id
from runtime.providers.containers.bubblewrap.config import BubblewrapConfig
from runtime.providers.containers.bubblewrap.folder import Folder, Found
from runtime.providers.containers.bubblewrap.tables import FILES
from runtime.storage import sql
from runtime.turns import Turns

_READ_BYTES = 1024 * 1024
_LONGEST_NAME = 255
"""Of a file's name on Linux, in bytes."""
_IDS_AT_ONCE = 500


class ContainerFiles:
    """store: of all users, since whoever may use a container may use its files."""

    def __init__(self, config: BubblewrapConfig, store: sql.SqlStore) -> None:
        self._config = config
        self._store = store
        self._turns = Turns()

    async def row(self, container_id: str, file_id: str) -> sql.Row:
        """Raises NotFound."""
        row = await self._store.first(sql.Select(FILES, sql.eq("id", file_id) & sql.eq("container_id", container_id)))
        if row is None:
            raise _unknown(container_id, file_id)
        return row

    async def follow(self, container_id: str, folder: Folder, *, source: str = "assistant") -> list[sql.Row]:
        """Bring the rows up to what is in the folder. Returns those that are new or have changed. Raises NotFound for a
        container that is deleted meanwhile, Unavailable.

        source: who has made these.
        """
        async with self._turns.of(container_id):
            return await self._follow(container_id, folder, source)

    async def _follow(self, container_id: str, folder: Folder, source: str) -> list[sql.Row]:
        found, _ = await _whole(folder.files, self._config.max_files)
        known = {row["place"]: row for row in await self.all(container_id)}
        changes: list[sql.Statement] = []
        changed: list[sql.Row] = []
        for one in found:
            row = known.pop(one.place, None)
            if row is not None and row["state"] == one.state:
                continue
            if row is None:
                row = _new_row(container_id, one, source)
                changes.append(sql.Insert(FILES, row))
            else:
                news = {"size_bytes": one.size_bytes, "state": one.state, "source": source}
                changes.append(sql.Update(FILES, news, sql.eq("id", row["id"])))
                row = {**row, **news}
            changed.append(row)
        gone = [row["id"] for row in known.values()]
        for at in range(0, len(gone), _IDS_AT_ONCE):
            changes.append(sql.Delete(FILES, sql.one_of("id", gone[at : at + _IDS_AT_ONCE])))
        try:
            for at in range(0, len(changes), _IDS_AT_ONCE):
                await self._store.write(*changes[at : at + _IDS_AT_ONCE])
        except sql.Stale:
            raise _gone(container_id) from None
        return changed

    async def came_from(self, row: sql.Row, file_id: str) -> None:
        """A file is the copy of one of the Files API."""
        await self._store.write(sql.Update(FILES, {"copied_from": file_id}, sql.eq("id", row["id"])))

    async def all(self, container_id: str) -> list[sql.Row]:
        """The oldest first."""
        return await self._store.select(
            sql.Select(FILES, sql.eq("container_id", container_id), order=("position", "id"))
        )

    async def places(self, container_id: str) -> list[bytes]:
        return [row["place"] for row in await self.all(container_id)]

    async def add(
        self, container_id: str, folder: Folder, content: AsyncIterable[bytes], *, filename: str, least_bytes: int
    ) -> sql.Row:
        """Put a file into the folder. Raises TooLarge, Conflict for the name of a folder, RequestError, Unavailable."""
        name = name_of(filename)
        most = await self._room(folder, name)
        if least_bytes > most:
            raise _too_large(most)
        arriving = await _whole(folder.begin)
        try:
            async for chunk in content:
                if arriving.size_bytes + len(chunk) > most:
                    raise _too_large(most)
                await _whole(arriving.write, chunk)
            async with self._turns.of(container_id):
                if arriving.size_bytes > (most := await self._room(folder, name)):  # others came meanwhile
                    raise _too_large(most)
                await _whole(arriving.give, name)
                changed = await self._follow(container_id, folder, "user")
        except (IsADirectoryError, NotADirectoryError):
            raise Conflict(f"`{FOLDER}/{shown(name)}` is a folder of the container", param="file") from None
        finally:
            await _whole(arriving.drop)
        found = [row for row in changed if row["place"] == name]
        if not found:
            raise Conflict(f"`{FOLDER}/{shown(name)}` was removed by the container's code meanwhile", param="file")
        return found[0]

    async def _room(self, folder: Folder, name: bytes) -> int:
        """How many bytes a file of this name may have. Raises TooLarge where it would be one too many, Unavailable."""
        found: list[Found]
        found, left = await _whole(folder.files, self._config.max_files)
        if not left and all(one.place != name for one in found):
            raise TooLarge(
                f"The container has as many files and folders as it may have, {self._config.max_files}",
                hint="delete files of the container, or raise `max_files` in the provider's config",
                param="file",
            )
        held = sum(one.size_bytes for one in found)
        return min(self._config.max_file_bytes, self._config.disk_bytes - held)

    async def download(self, folder: Folder, row: sql.Row) -> Download:
        """Its content as it is now. Raises NotFound, RequestError for a file that its code has closed, Unavailable."""
        try:
            opened = await asyncio.to_thread(folder.open, row["place"])
        except FileNotFoundError:
            raise _unknown(row["container_id"], row["id"]) from None
        except OSError as error:
            raise _unreadable(row, error) from None
        size = os.fstat(opened).st_size
        os.close(opened)

        async def read(begin: int, end: int) -> AsyncGenerator[bytes, None]:
            file = await asyncio.to_thread(folder.open, row["place"])
            try:
                while begin < end:
                    data = await asyncio.to_thread(os.pread, file, min(_READ_BYTES, end - begin), begin)
                    if not data:
                        raise Unavailable(f"`{row['id']}` has become shorter while it was read")
                    begin += len(data)
                    yield data
            finally:
                os.close(file)

        name = shown(row["place"].rpartition(b"/")[2])
        return Download(size_bytes=size, read=read, filename=name)

    async def remove(self, folder: Folder, row: sql.Row) -> None:
        """Raises NotFound, Unavailable."""
        async with self._turns.of(row["container_id"]):
            try:
                await asyncio.to_thread(folder.remove, row["place"])
            except FileNotFoundError:
                pass
            except OSError as error:
                raise _unreadable(row, error) from None
            if await self._store.write(sql.Delete(FILES, sql.eq("id", row["id"]))) == [0]:
                raise _unknown(row["container_id"], row["id"])


def file_of(row: sql.Row) -> ContainerFile:
    """A file as the API shows it."""
    return ContainerFile(**shown_file(row))


def shown_file(row: sql.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "object": "container.file",
        "container_id": row["container_id"],
        "created_at": row["created_at"],
        "bytes": row["size_bytes"],
        "path": f"{FOLDER}/{shown(row['place'])}",
        "source": row["source"],
    }


def name_of(filename: str) -> bytes:
    """The name that a file gets: the last part of what its sender says, which may be a path of another system.

    Raises RequestError for one that is empty.
    """
    last = filename.replace("\\", "/").rpartition("/")[2].replace("\0", "").strip()
    name = last.encode(errors="replace")
    if name in (b"", b".", b".."):
        raise RequestError("The file has no name", hint="give its `filename`", param="file")
    if len(name) > _LONGEST_NAME:
        stem, dot, ending = last.rpartition(".")
        end = f"{dot}{ending}".encode(errors="replace") if stem and len(ending.encode()) < 32 else b""
        name = name[: _LONGEST_NAME - len(end)].decode(errors="ignore").encode() + end
    return name


def shown(name: bytes) -> str:
    """A name as text: what is no UTF-8 in it is escaped."""
    return name.decode(errors="backslashreplace")


def _new_row(container_id: str, one: Found, source: str) -> sql.Row:
    position = new_position()
    return {
        "id": ordered_id("cfile_", position),
        "position": position,
        "container_id": container_id,
        "place": one.place,
        "created_at": int(stamp()),
        "size_bytes": one.size_bytes,
        "state": one.state,
        "source": source,
        "copied_from": None,
    }


async def _whole(work: Any, *arguments: Any) -> Any:
    """Do it in a thread. Raises Unavailable where the disk cannot be used, but for names that cannot be."""
    try:
        return await asyncio.to_thread(work, *arguments)
    except (IsADirectoryError, NotADirectoryError):
        raise
    except OSError as error:
        raise Unavailable(
            f"The folder of the container cannot be used: {error.strerror}",
            hint="check the disk and the permissions of the server's state folder",
            code="storage_unavailable",
        ) from error


def _too_large(most: int) -> TooLarge:
    return TooLarge(
        f"The file is larger than the {max(0, most)} bytes that the container still takes",
        hint="delete files of the container, or raise `max_file_bytes` and `disk_bytes` in the provider's config",
        param="file",
    )


def _unreadable(row: sql.Row, error: OSError) -> RequestError:
    return RequestError(
        f"The file `{row['id']}` cannot be opened: {error.strerror}",
        hint="code in the container has made it so, and can undo it",
        param="file_id",
        code="unreadable_file",
    )


def _unknown(container_id: str, file_id: str) -> NotFound:
    return NotFound(
        f"The container `{container_id}` has no file `{file_id}`",
        hint=f"list them with GET /v1/containers/{container_id}/files",
        param="file_id",
        code="container_file_not_found",
    )


def _gone(container_id: str) -> NotFound:
    return NotFound(
        f"The container `{container_id}` was deleted meanwhile", param="container_id", code="container_not_found"
    )
