"""The rows of containers: whose they are, when they expire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from runtime.apis.containers.container import Container, CreateContainerRequest
from runtime.apis.containers.limits import MemoryLimit
from runtime.clock import stamp, wall_time
from runtime.context import current
from runtime.errors import NotFound, NotSupported, RequestError
from runtime.ids import new_id, new_position, ordered_id
from runtime.providers.containers.bubblewrap.config import BubblewrapConfig
from runtime.providers.containers.bubblewrap.tables import CONTAINERS, FILES
from runtime.storage import sql

_MINUTES = 20
_IDS_AT_ONCE = 500


class KeptContainers:
    """store: of all users."""

    def __init__(self, config: BubblewrapConfig, store: sql.SqlStore) -> None:
        self._config = config
        self._store = store

    def mine(self) -> sql.SqlStore:
        """The rows that the caller may see."""
        return self._store.for_user(current().user)

    async def create(self, request: CreateContainerRequest) -> sql.Row:
        """Raises NotSupported, RequestError for more memory than may be, Unavailable."""
        self._check(request)
        now, position = int(stamp()), new_position()
        minutes = request.expires_after.minutes if request.expires_after else _MINUTES
        row = {
            "id": ordered_id("cntr_", position) + new_id(""),
            "position": position,
            "name": request.name.replace("\0", "\ufffd").encode(errors="replace").decode(),
            "created_at": now,
            "last_active_at": now,
            "expires_after_minutes": minutes,
            "expires_at": now + minutes * 60,
            "memory_limit": request.memory_limit or self._config.memory_limit,
        }
        await self.mine().write(sql.Insert(CONTAINERS, row))
        return row

    async def row(self, container_id: str) -> sql.Row:
        """Raises NotFound."""
        row = await self.mine().first(sql.Select(CONTAINERS, sql.eq("id", container_id)))
        if row is None:
            raise _unknown(container_id)
        return row

    async def used(self, container_id: str) -> sql.Row:
        """A container that is used now, which puts its expiry off. Raises NotFound, RequestError for an expired one."""
        row = await self.row(container_id)
        if has_expired(row):
            raise RequestError(
                f"The container `{container_id}` has expired",
                hint="it was not used for as long as its `expires_after` says: make another one",
                param="container_id",
                code="container_expired",
            )
        await self.touch(row)
        return row

    async def touch(self, row: sql.Row) -> None:
        """It is used now."""
        now = int(stamp())
        news = {"last_active_at": now, "expires_at": now + row["expires_after_minutes"] * 60}
        await self._store.write(sql.Update(CONTAINERS, news, sql.eq("id", row["id"])))

    async def delete(self, container_id: str) -> None:
        """Raises NotFound."""
        if await self.mine().write(sql.Delete(CONTAINERS, sql.eq("id", container_id))) == [0]:
            raise _unknown(container_id)

    async def forget_files(self, container_id: str) -> None:
        """Its folder is removed."""
        await self._store.write(sql.Delete(FILES, sql.eq("container_id", container_id)))

    async def alive(self, ids: Sequence[str]) -> set[str]:
        """Those that have not expired."""
        found: set[str] = set()
        for at in range(0, len(ids), _IDS_AT_ONCE):
            which = sql.one_of("id", ids[at : at + _IDS_AT_ONCE]) & sql.above("expires_at", int(wall_time()))
            found |= {row["id"] for row in await self._store.select(sql.Select(CONTAINERS, which, ("id",)))}
        return found

    def _check(self, request: CreateContainerRequest) -> None:
        if request.network_policy is not None and request.network_policy.type != "disabled":
            raise NotSupported(
                "Code in a container reaches no network",
                hint="leave `network_policy` out, or give `disabled`",
                param="network_policy",
            )
        for field in ("image", "skills"):
            if getattr(request, field):
                raise NotSupported(f"`{field}` of a container is not supported here", hint="leave it out", param=field)
        most = self._config.max_memory_limit
        if request.memory_limit and memory_bytes(request.memory_limit) > memory_bytes(most):
            allowed = [limit for limit in get_args(MemoryLimit) if memory_bytes(limit) <= memory_bytes(most)]
            raise RequestError(
                f"`memory_limit` is `{request.memory_limit}`, and the most here is `{most}`",
                hint=f"give one of {', '.join(allowed)}, or raise `max_memory_limit` in the provider's config",
                param="memory_limit",
            )


def has_expired(row: sql.Row) -> bool:
    return bool(row["expires_at"] <= wall_time())


def memory_bytes(limit: str) -> int:
    return int(limit.removesuffix("g")) * 1024**3


def container_of(row: sql.Row) -> Container:
    """A container as the API shows it."""
    return Container.model_validate(shown(row))


def shown(row: sql.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "object": "container",
        "name": row["name"],
        "created_at": row["created_at"],
        "status": "expired" if has_expired(row) else "running",
        "last_active_at": row["last_active_at"],
        "expires_after": {"anchor": "last_active_at", "minutes": row["expires_after_minutes"]},
        "memory_limit": row["memory_limit"],
        "network_policy": {"type": "disabled"},
    }


def _unknown(container_id: str) -> NotFound:
    return NotFound(
        f"There is no container `{container_id}`",
        hint="list them with GET /v1/containers",
        param="container_id",
        code="container_not_found",
    )
