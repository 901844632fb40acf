"""The cluster: connected when it is needed, left when it is not."""

from __future__ import annotations

import asyncio
import logging
import os
from urllib.parse import urlsplit

from runtime.providers._background.asking import NobodyAnswers
from runtime.providers._vendors.ray.client import ClientEnded, RayClient
from runtime.providers._vendors.ray.config import RayConfig
from runtime.providers._vendors.ray.messages import Answered, Settings
from runtime.starting import not_started

log = logging.getLogger(__name__)
_PORT = 10001
_REACHED_S = 2.5
_MOST_AT_ONCE = 1000


class Cluster:
    """provider_id: for messages. headers: of each request of the workers. at_once: how many of them there may be."""

    def __init__(self, config: RayConfig, provider_id: str, *, headers: dict[str, str], at_once: int) -> None:
        self._config = config
        self._provider_id = provider_id
        self._settings = Settings(
            address=config.address,
            base_url=config.base_url.rstrip("/").removesuffix("/v1"),
            headers=headers,
            workers=config.workers,
            cpus=config.cpus_per_worker,
            resources=dict(config.resources_per_worker),
            at_once=min(at_once, _MOST_AT_ONCE),
            timeout_s=config.request_timeout_s,
        )
        self._token = config.auth_token.get_secret_value() if config.auth_token else None
        self._turn = asyncio.Lock()
        self._client: RayClient | None = None
        self._trouble: str | None = None
        self._asked = 0
        self._idle: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    async def connected(self) -> RayClient:
        """The client, which has a worker. Raises NobodyAnswers."""
        async with self._turn:
            if self._client is None or self._client.has_ended:
                await self._leave()
                await self._start()
            elif self._client.workers:
                return self._client
            client = await self._with_worker()
            self._trouble = None
            self._end_later()
            log.info("workers are ready", extra={"provider_id": self._provider_id, "at": client.workers})
            return client

    async def _start(self) -> None:
        """A client that connects. Raises NobodyAnswers."""
        self._trouble = None
        await self._reach()
        try:
            self._client = await RayClient.started(self._settings, self._token)
        except OSError as error:
            trouble = not_started("The client of Ray", error, hint="look at the server's log, and restart it")
            raise NobodyAnswers(trouble.message, hint=trouble.hint) from error

    async def _with_worker(self) -> RayClient:
        """The client, once it has a worker; it is left where it gets none. Raises NobodyAnswers."""
        client, most_s = self._client, self._config.start_timeout_s
        assert client is not None, "it was started"
        if self._idle is not None:
            self._idle.cancel()
        try:
            async with asyncio.timeout(most_s):
                await client.until_ready()
        except BaseException as error:
            why = client.trouble
            await self._leave()
            if isinstance(error, ClientEnded):
                raise self._unusable(f"cannot be used: {error.what}", error.hint) from error
            if isinstance(error, TimeoutError):
                raise self._unusable(
                    f"has started no worker in {most_s:g} s" + (f": {why}" if why else ""),
                    "see with `ray status` whether it has what `cpus_per_worker` and `resources_per_worker` want",
                ) from error
            raise
        return client

    async def ask(self, path: str, body: bytes) -> Answered:
        """What a worker answers. Raises NobodyAnswers where the cluster is lost, or cannot be used again."""
        client = await self.connected()
        self._asked += 1
        try:
            return await client.ask(path, body)
        except ClientEnded as error:
            raise self._gone(f"was lost: {error.what}", error.hint) from error
        finally:
            self._asked -= 1
            self._end_later()

    async def close(self) -> None:
        """End the workers and the connection."""
        async with self._turn:
            await self._leave()

    async def trouble(self) -> str | None:
        """Why its workers cannot be asked; None where they can, or nothing has needed them yet."""
        client = self._client
        if client is not None and not client.has_ended:
            return None if client.workers else client.trouble
        try:
            await self._reach()
        except NobodyAnswers as error:
            return _told(error)
        return self._trouble

    @property
    def workers(self) -> tuple[str, ...]:
        """Where those run that can be asked now, as `machine:pid`."""
        return self._client.workers if self._client is not None else ()

    async def _reach(self) -> None:
        """Ray waits half a minute for an address where nothing is. Raises NobodyAnswers."""
        parts = urlsplit(self._config.address)
        try:
            async with asyncio.timeout(_REACHED_S):
                _, writer = await asyncio.open_connection(parts.hostname, parts.port or _PORT)
        except OSError as error:  # TimeoutError is one
            why = os.strerror(error.errno) if error.errno else str(error) or f"no answer in {_REACHED_S:g} s"
            raise self._gone(f"cannot be reached: {why}", "start it, or set `address` to that of its head") from error
        writer.close()

    async def _leave(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        client, self._client = self._client, None
        if client is not None:
            await client.end()

    def _end_later(self) -> None:
        """Leave the cluster to others once nothing has been asked for a while."""
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(self._config.idle_timeout_s, self._end_idle)

    def _end_idle(self) -> None:
        if not self._asked:
            task = asyncio.create_task(self.close(), name="end idle workers on Ray")
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    def _gone(self, what: str, hint: str | None) -> NobodyAnswers:
        return NobodyAnswers(f"The Ray cluster at `{self._config.address}` {what}", hint=hint)

    def _unusable(self, what: str, hint: str | None) -> NobodyAnswers:
        """It can be reached: until it is tried again, nothing else shows that there is something wrong."""
        error = self._gone(what, hint)
        self._trouble = _told(error)
        return error


def _told(error: NobodyAnswers) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message
