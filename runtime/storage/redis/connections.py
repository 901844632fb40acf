"""Connections to a Redis server: made again once it can be reached, and never asked twice for a change."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError

from runtime.storage.redis.config import RedisKeyValueConfig
from runtime.storage.unavailable import server_unavailable

log = logging.getLogger(__name__)
T = TypeVar("T")
_CONNECT_S, _ANSWER_S, _PLACE_S = 5.0, 30.0, 10.0
_FAILURES = (RedisError, OSError, TimeoutError)


class Connections:
    """A pool of connections to the server that `config` names; the first call connects.

    Raises Unavailable for settings that the driver refuses.
    """

    def __init__(self, config: RedisKeyValueConfig) -> None:
        self.place = config.place()
        try:
            pool = _pool(config)
            pool.connection_class(**pool.connection_kwargs)  # looks at the parameters of `url`, connects nowhere
        except (RedisError, ValueError, TypeError, OSError) as error:
            raise server_unavailable(self.place, "opened", error) from error
        self._client = Redis(connection_pool=pool)
        self._checking = asyncio.Lock()
        self._is_checked = False

    async def ask(self, verb: str, ask: Callable[[Redis], Awaitable[T]]) -> T:
        """The result of `ask`. verb: for the message, `read` or `written`. Raises Unavailable."""
        try:
            if not self._is_checked:
                await self._check()
            return await ask(self._client)
        except _FAILURES as error:
            of_system = error.__cause__ or error.__context__  # clearer than the driver's words for it
            raise server_unavailable(
                self.place, verb, of_system if isinstance(of_system, OSError) else error
            ) from error

    async def get(self, name: bytes) -> bytes | None:
        """The value of a name. Raises Unavailable."""
        found = await self.ask("read", lambda client: client.get(name))
        assert found is None or isinstance(found, bytes)  # nothing is decoded
        return found

    async def run(self, verb: str, script: str, calls: Sequence[Sequence[bytes | int]], keys: int) -> list[Any]:
        """Run a script once for each of `calls`, in one way to the server and back: its results in order.

        calls: the names of `keys` keys, then arguments. A result is Unavailable where the server refused one.
        Raises Unavailable if it is not known how they went, or nothing was done.
        """
        results = await self.ask(verb, lambda client: _piped(client, script, calls, keys))
        return [
            server_unavailable(self.place, verb, result) if isinstance(result, _FAILURES) else result
            for result in results
        ]

    async def close(self) -> None:
        await self._client.aclose()
        await self._client.connection_pool.aclose()

    async def _check(self) -> None:
        """Once, with the first call: warn about settings of the server with which acknowledged writes can be lost."""
        async with self._checking:
            if self._is_checked:
                return
            await self._client.ping()
            self._is_checked = True
            for risk in await self._risks():
                log.warning("%s may lose what it has acknowledged: %s", self.place, risk)

    async def _risks(self) -> list[str]:
        """As far as it is known: not every user may ask for a server's settings."""
        known: dict[str, Any] = {}
        try:
            known = await self._client.info()
            [appendfsync] = (await self._client.config_get("appendfsync")).values()
        except (ResponseError, ValueError):
            appendfsync = None
        found = []
        if known.get("aof_enabled") == 0:
            found.append("`appendonly` is `no`, so that a crash costs all that came after its last snapshot")
        elif appendfsync in ("no", "everysec"):
            found.append(f"`appendfsync` is `{appendfsync}`, so that a crash may cost the last writes")
        policy = known.get("maxmemory_policy", "noeviction")
        if known.get("maxmemory") and policy != "noeviction":
            found.append(f"`maxmemory-policy` is `{policy}`, so that it throws values away when its memory is full")
        return found


def _pool(config: RedisKeyValueConfig) -> BlockingConnectionPool:
    options: dict[str, Any] = {
        "max_connections": config.pool_size,
        "timeout": _PLACE_S,
        "socket_connect_timeout": _CONNECT_S,
        "socket_timeout": _ANSWER_S,
        "retry": Retry(NoBackoff(), 0),  # a change that may have been done must not be sent again
        "decode_responses": False,
    }
    url = config.url.get_secret_value() if config.url else f"redis{'s' if config.tls else ''}://"
    if config.ca_cert_path:
        options["ssl_ca_certs"] = config.ca_cert_path
    if config.url is None:
        password = config.password.get_secret_value() if config.password else None
        options |= {"host": config.host, "port": config.port, "db": config.db}
        options |= {"username": config.user, "password": password}
    pool: BlockingConnectionPool = BlockingConnectionPool.from_url(url, **options)
    return pool


async def _piped(client: Redis, script: str, calls: Sequence[Sequence[bytes | int]], keys: int) -> list[Any]:
    digest = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
    for _ in range(2):
        pipeline = client.pipeline(transaction=False)
        for call in calls:
            pipeline.execute_command("EVALSHA", digest, keys, *call)
        results = await pipeline.execute(raise_on_error=False)
        if not any(isinstance(result, NoScriptError) for result in results):
            return list(results)
        await client.script_load(script)  # the server was started anew, and has done none of them
    return list(results)
