"""Files and what is known about them: a new one from its bytes, and one by its id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from runtime.apis.files.file import ExpiresAfter, File
from runtime.clock import stamp, wall_time
from runtime.errors import NotFound
from runtime.ids import new_position
from runtime.providers.files._shared.config import FilesConfig
from runtime.providers.files._shared.content import Content
from runtime.providers.files._shared.keeper import Keeper
from runtime.providers.files._shared.tables import FILES, not_expired
from runtime.storage.sql import Row, Select, SqlStore, Stale, Statement, eq

_BATCH_TTL_S = 30 * 24 * 3600
"""As long as OpenAI keeps files for batches."""
_SHOWN = ("id", "created_at", "expires_at", "filename", "purpose")
_LONGEST_NAME = 4096


class KeptFiles:
    """The files of every user; `rows` is the part of the store that one of them sees."""

    def __init__(self, config: FilesConfig, keeper: Keeper) -> None:
        self._ttl_s = config.ttl_secs
        self._keeper = keeper

    async def keep(
        self,
        rows: SqlStore,
        content: Content,
        *,
        filename: str,
        purpose: str,
        expires_after_s: Callable[[], int | None],
        also: Callable[[str], Sequence[Statement]] = lambda file_id: (),
    ) -> Row:
        """Keep a file; see `Keeper.keep`. expires_after_s: asked when its bytes have arrived; None for the default."""
        filename = storable(filename)

        def facts() -> dict[str, Any]:
            seconds = expires_after_s() or self._default_ttl_s(purpose)
            return {
                "position": new_position(),
                "expires_at": None if seconds is None else int(stamp()) + seconds,
                "filename": filename,
                "purpose": purpose,
                "content_type": content.content_type,
                "checksum": content.checksum,
            }

        return await self._keeper.keep(rows, content, filename=filename, purpose=purpose, facts=facts, also=also)

    async def get(self, rows: SqlStore, file_id: str) -> Row:
        """Raises NotFound."""
        visible = eq("id", file_id) & not_expired(int(wall_time()))
        row = await rows.first(Select(FILES, visible))
        if row is None:
            raise no_such_file(file_id)
        return row

    async def remove(self, rows: SqlStore, file_id: str) -> None:
        """Raises NotFound."""
        try:
            await self._keeper.remove(rows, file_id, not_expired(int(wall_time())))
        except Stale:
            raise no_such_file(file_id) from None

    def _default_ttl_s(self, purpose: str) -> int | None:
        return self._ttl_s or (_BATCH_TTL_S if purpose == "batch" else None)


def file_of(row: Row) -> File:
    """A file as the API shows it."""
    return File(**shown(row))


def shown(row: Row) -> dict[str, Any]:
    """What the API shows of a file, and of one that still comes in parts."""
    return {"bytes": row["size_bytes"], **{name: row[name] for name in _SHOWN}}


def seconds_of(expires_after: ExpiresAfter | None) -> int | None:
    return None if expires_after is None else expires_after.seconds


def storable(name: str) -> str:
    """A name that every database can hold."""
    return name[:_LONGEST_NAME].replace("\0", "\ufffd").encode(errors="replace").decode()


def no_such_file(file_id: str) -> NotFound:
    return NotFound(
        f"There is no file `{file_id}`", hint="list them with GET /v1/files", param="file_id", code="file_not_found"
    )
