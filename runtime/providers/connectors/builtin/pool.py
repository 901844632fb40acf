"""The open sessions: one for each server and identity, a bounded number, none that is idle for long."""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from runtime.errors import Unavailable
from runtime.http.client import HttpClient
from runtime.providers.connectors.builtin.config import ConnectorsConfig
from runtime.providers.connectors.builtin.identities import AskedAs
from runtime.providers.connectors.builtin.servers import Server
from runtime.providers.connectors.builtin.target import SessionTarget
from runtime.rounds import Rounds

if TYPE_CHECKING:
    from runtime.providers.connectors.builtin.failures import SessionLost
    from runtime.providers.connectors.builtin.session import Session

T = TypeVar("T")
_SESSION_MODULE = f"{__package__}.session"
_CLOSING_S = 4.0


class Pool:
    """http: the provider's client. changed: called with the key of a server and identity whose tools have changed."""

    def __init__(self, http: HttpClient, config: ConnectorsConfig, *, changed: Callable[[Hashable], None]) -> None:
        self._http = http
        self._config = config
        self._changed = changed
        self._sessions: OrderedDict[Hashable, Session] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._all: set[Session] = set()
        self._imports: Rounds[Any] = Rounds()
        self._kinds: tuple[type[Session], type[SessionLost]] | None = None
        self._is_closed = False

    @property
    def count(self) -> int:
        """How many sessions are open, opening or closing."""
        return len(self._tasks)

    async def asked(
        self, server: Server, asked_as: AskedAs, ask: Callable[[Session], Awaitable[T]], *, repeats: bool
    ) -> T:
        """What `ask` returns for a session. A session that turns out to be lost is made anew once, if nothing can have
        been done, or if `repeats` says that it does no harm. Raises as `ask` does.
        """
        kind, lost = await self._imported()
        for is_last in (False, True):
            try:
                async with self._session(kind, server, asked_as) as session:
                    return await ask(session)
            except lost as error:
                if is_last or (error.may_have_run and not repeats):
                    raise error.error from None
        raise AssertionError("the last attempt returns or raises")

    @asynccontextmanager
    async def _session(self, kind: type[Session], server: Server, asked_as: AskedAs) -> AsyncGenerator[Session, None]:
        """An open session. Raises what prevents that."""
        key = key_of(server, asked_as)
        session = self._sessions.get(key)
        if session is None or not session.is_usable:
            session = self._made(kind, server, asked_as, key)
        self._sessions.move_to_end(key)
        session.users += 1
        try:
            await session.is_settled.wait()
            if session.trouble is not None:
                raise session.trouble.for_another()
            yield session
        finally:
            session.users -= 1
            session.last_used = time.monotonic()

    def _made(self, kind: type[Session], server: Server, asked_as: AskedAs, key: Hashable) -> Session:
        if self._is_closed:
            raise Unavailable("MCP servers cannot be asked: the stack stops")
        if len(self._sessions) >= self._config.max_sessions:
            idle = next((one for one in self._sessions.values() if not one.users), None)
            if idle is None:
                raise Unavailable(
                    f"All {self._config.max_sessions} MCP sessions are in use",
                    hint="try again later, or raise `max_sessions` in the config of the connectors' provider",
                )
            idle.end()
        target = SessionTarget(server=server, asked_as=asked_as, http=self._http, config=self._config)
        session = kind(target, changed=partial(self._changed, key), ended=lambda: self._ended(key, session))
        self._sessions[key] = session
        self._all.add(session)
        session.open(partial(self._run, session))
        return session

    def _run(self, session: Session, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(
            work, name=f"MCP session with {session.server.label}", context=contextvars.Context()
        )
        self._tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._all.discard(session)

        task.add_done_callback(ended)
        return task

    def _ended(self, key: Hashable, session: Session) -> None:
        if self._sessions.get(key) is session:
            del self._sessions[key]

    async def _imported(self) -> tuple[type[Session], type[SessionLost]]:
        """Import the SDK, which takes seconds, without making other requests wait."""
        if self._kinds is None:

            async def load() -> Any:
                return await asyncio.to_thread(importlib.import_module, _SESSION_MODULE)

            module = await self._imports.of("session", load)
            self._kinds = module.Session, module.SessionLost
        return self._kinds

    async def close(self) -> None:
        """End every session, and wait until nothing of it is left."""
        self._is_closed = True
        await asyncio.gather(*(session.closed(within_s=_CLOSING_S) for session in list(self._all)))


def key_of(server: Server, asked_as: AskedAs) -> Hashable:
    return server.key, asked_as.key
