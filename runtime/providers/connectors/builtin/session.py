"""One session with one MCP server as one identity, shared by all calls of that kind.

A task of its own opens it, keeps it and closes it, since the SDK's parts must be left where they were entered. Imports
the SDK, which takes seconds: import this module late and in a thread.

    opening -> open -> ended        idle for long, the server has ended it, too slow to open, or the stack stops
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
import mcp_types as types
from httpx2 import SSEError
from mcp import Client
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp.shared.exceptions import MCPError
from mcp_types import CONNECTION_CLOSED, HEADER_MISMATCH, INVALID_PARAMS
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import TypeAdapter, ValidationError

from runtime import __version__
from runtime.context import current
from runtime.errors import RequestError, StackError, UpstreamError, UpstreamTimeout
from runtime.http.bridge import cause_of
from runtime.http.client import HttpClient
from runtime.http.given_addresses import checked_address
from runtime.providers.connectors.builtin.config import ConnectorsConfig
from runtime.providers.connectors.builtin.identities import AskedAs
from runtime.providers.connectors.builtin.losses import SessionLost
from runtime.providers.connectors.builtin.programs import program
from runtime.providers.connectors.builtin.servers import Server
from runtime.providers.connectors.builtin.streams import Watched, over_sse, over_streamable_http
from runtime.providers.connectors.builtin.trial import ASKED, Trial

T = TypeVar("T")
log = logging.getLogger(__name__)
_ME = types.Implementation(name="llama-stack", version=__version__)
_RESULT: TypeAdapter[types.CallToolResult | types.InputRequiredResult] = TypeAdapter(
    types.CallToolResult | types.InputRequiredResult
)
_MOST_PAGES = 100
_LEAST_WIRE_BYTES = 16 * 1024 * 1024
"""What an answer may have on its way, of which less is passed on."""
_NOT_STREAMABLE = (400, 404, 405, 406, 415, 501)
"""What servers answer that have SSE only."""
_WORDS = 500
_LAST_WORDS_S = 1.0
"""How long a call whose session has ended waits for the reason."""
_LISTEN_AGAIN_S = (1.0, 2.0, 4.0, 8.0, 16.0)
for _name in ("mcp", "client", "httpx2"):
    # They log what is sent and to which address, secrets included; we raise what goes wrong.
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


class Session:
    """http: the provider's client. changed: called when the server says that its tools have changed. ended: called
    when the session can no longer be used.
    """

    def __init__(
        self,
        server: Server,
        asked_as: AskedAs,
        *,
        http: HttpClient,
        config: ConnectorsConfig,
        changed: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        self.server = server
        self.info: types.Implementation | None = None
        self.failure: StackError | None = None
        self.is_settled = asyncio.Event()
        self.users = 0
        self.last_used = time.monotonic()
        self._asked_as = asked_as
        self._http = http
        self._config = config
        self._changed = changed
        self._tell_ended = ended
        self._client: Client | None = None
        self._ending = asyncio.Event()
        self._is_lost = False
        self._task: asyncio.Task[None] | None = None

    def open(self, task: Callable[[Any], asyncio.Task[None]]) -> None:
        """task: makes one of what runs until the session has ended."""
        self._task = task(self._run())

    @property
    def is_usable(self) -> bool:
        return not self._ending.is_set()

    @property
    def trouble(self) -> StackError | None:
        """Why it could not be opened."""
        return self.failure if self._client is None else None

    def end(self) -> None:
        """No call begins any more; those that run lose it."""
        if not self._ending.is_set():
            self._ending.set()
            self._tell_ended()

    async def listed(self) -> list[types.Tool]:
        """All tools. Raises SessionLost, and UpstreamError."""
        client = self._open_client()
        tools: list[types.Tool] = []
        cursor: str | None = None

        async def pages() -> list[types.Tool]:
            nonlocal cursor
            for _ in range(_MOST_PAGES):
                page = await client.list_tools(cursor=cursor)
                tools.extend(page.tools)
                if len(tools) > self._config.max_tools:
                    raise self._failed(
                        f"has more than {self._config.max_tools} tools",
                        hint="raise `max_tools` in the config of its provider",
                    )
                cursor = page.next_cursor
                if not cursor:
                    return tools
            raise self._failed(f"lists its tools on more than {_MOST_PAGES} pages")

        return await self._asked(pages, limit_s=self._config.list_timeout_s, what="did not list its tools")

    async def called(self, name: str, arguments: dict[str, Any]) -> tuple[types.CallToolResult, Trial]:
        """What a tool gave back, and what was sent for it. Raises SessionLost, UpstreamError, and RequestError for
        arguments that the server refuses.
        """
        client = self._open_client()
        trial = Trial()

        async def call() -> types.CallToolResult | types.InputRequiredResult:
            params = types.CallToolRequestParams(name=name, arguments=arguments)
            request = types.CallToolRequest(params=params)
            try:
                return await client.session.send_request(request, _RESULT)
            except MCPError as mismatch:
                # The server has not run it: it wants headers, which the SDK takes from its own list of tools.
                if mismatch.code != HEADER_MISMATCH:
                    raise
            await self.listed()
            return await client.session.send_request(request, _RESULT)

        what = f"did not complete the call of `{name}`"
        result = await self._asked(call, limit_s=self._config.call_timeout_s, what=what, trial=trial)
        if isinstance(result, types.InputRequiredResult):
            raise self._failed(f"wants to ask somebody something before it runs `{name}`, which cannot be done here")
        return result, trial

    def _open_client(self) -> Client:
        if self._client is None or not self.is_usable:
            raise SessionLost(self._failed("has ended the session"), may_have_run=False)
        return self._client

    async def _asked(
        self, make: Callable[[], Awaitable[T]], *, limit_s: float, what: str, trial: Trial | None = None
    ) -> T:
        trial = trial or Trial()
        deadline = current().deadline
        if deadline is not None:
            limit_s = max(0.0, min(limit_s, deadline - time.monotonic()))
        token = ASKED.set(trial)
        try:
            async with asyncio.timeout(limit_s):
                with anyio.CancelScope() as scope:
                    trial.abandon = scope.cancel
                    return await make()
        except TimeoutError:
            raise UpstreamTimeout(
                f"MCP server `{self.server.label}` {what} in {limit_s:g} s", provider_id=self.server.label
            ) from None
        except MCPError as error:
            raise await self._told(error, trial) from None
        except ValidationError:
            raise self._failed("gave an answer that the protocol does not have") from None
        finally:
            trial.abandon = None
            ASKED.reset(token)
        assert trial.failure is not None, "the wait is abandoned only after a failure"
        raise trial.failure

    async def _told(self, error: MCPError, trial: Trial) -> Exception:
        """What an error of the SDK comes to."""
        if trial.failure is not None:
            return trial.failure
        if trial.status == 404 or (trial.status == 400 and self._is_older):
            self.end()
            return SessionLost(self._failed("no longer knows the session"), may_have_run=False)
        if error.code == CONNECTION_CLOSED:
            if self._task is not None and not self.is_usable:
                await asyncio.wait([self._task], timeout=_LAST_WORDS_S)
            failure = self.failure or self._failed(
                "ended the session, or its answer, before it had answered",
                hint="it may have done what it was asked; ask again if that does no harm",
            )
            return SessionLost(failure, may_have_run=True)
        words = trial.without_secrets(error.message)[:_WORDS]
        if error.code == INVALID_PARAMS:
            return RequestError(f"MCP server `{self.server.label}` refused the request: {words}", code="mcp_refused")
        status = f" with {trial.status}" if trial.status else ""
        return self._failed(f"answered{status}: {words}", upstream_status=trial.status or None)

    @property
    def _is_older(self) -> bool:
        """Of the generation with sessions at the server."""
        return self._client is not None and self._client.protocol_version not in MODERN_PROTOCOL_VERSIONS

    def _failed(self, what: str, **facts: Any) -> UpstreamError:
        return UpstreamError(f"MCP server `{self.server.label}` {what}", provider_id=self.server.label, **facts)

    async def _run(self) -> None:
        """Open the session, keep it while it is used, and close it."""
        loop = asyncio.get_running_loop()
        trial = Trial()
        too_slow = loop.call_later(self._config.connect_timeout_s, self._too_slow)
        ASKED.set(trial)
        try:
            async with self._opened(trial) as client:
                too_slow.cancel()
                ASKED.set(None)
                self._client, self.info = client, client.server_info
                self.last_used = time.monotonic()
                self.is_settled.set()
                listening = asyncio.create_task(self._listen(client))
                try:
                    await self._kept()
                finally:
                    self.end()
                    listening.cancel()
                    await asyncio.gather(listening, return_exceptions=True)
        except asyncio.CancelledError:
            if self.failure is None:
                self.failure = self._failed("was left: this server stops")
                raise
        except Exception as error:
            self.failure = self.failure or trial.failure or self._failure_in(error, trial)
            if self._client is not None:
                log.warning(
                    "MCP session broken off", extra={"server": self.server.label, "error": self.failure.message}
                )
        finally:
            too_slow.cancel()
            self.end()
            self.is_settled.set()

    def _too_slow(self) -> None:
        if self._task is not None and not self.is_settled.is_set():
            self.failure = UpstreamTimeout(
                f"MCP server `{self.server.label}` opened no session in {self._config.connect_timeout_s:g} s",
                provider_id=self.server.label,
            )
            self._task.cancel()

    def _failure_in(self, error: Exception, trial: Trial) -> StackError:
        """Our error in what the SDK's groups of tasks raise."""
        inside: Sequence[Exception] = [error]
        while isinstance(inside[0], ExceptionGroup):
            inside = inside[0].exceptions
        for one in inside:
            if (ours := cause_of(one)) is not None:
                return ours
        if isinstance(inside[0], SSEError):
            return self._failed(f"broke off its stream: {inside[0]}"[:_WORDS])
        if isinstance(inside[0], MCPError):
            words = trial.without_secrets(inside[0].message)[:_WORDS]
            status = f" with {trial.status}" if trial.status else ""
            return self._failed(
                f"opened no session: it answered{status}: {words}", upstream_status=trial.status or None
            )
        status = f", but answered {trial.status}" if trial.status else ""
        return self._failed(
            f"opened no session{status}",
            upstream_status=trial.status or None,
            hint="does its address lead to an MCP server, with its path?",
        )

    @asynccontextmanager
    async def _opened(self, trial: Trial) -> AsyncGenerator[Client, None]:
        server = self.server
        limit_bytes = max(_LEAST_WIRE_BYTES, 2 * self._config.max_result_bytes)
        if server.url is None:
            async with program(server, limit_bytes=limit_bytes) as (streams, tell):
                try:
                    async with self._spoken_to(streams) as client:
                        yield client
                finally:
                    if self._is_lost:
                        tell()
            return
        network = self._http.connections.network
        may_be_private = server.is_trusted or self._config.allow_private_addresses
        url = await checked_address(server.url, network=network, allow_private=may_be_private)
        http = self._http.for_others(only_public=not may_be_private, called=server.label)
        try:
            async with contextlib.AsyncExitStack() as stack:
                client = await self._over_http(stack, url, http, limit_bytes, trial)
                yield client
        finally:
            await http.close()

    async def _over_http(
        self, stack: contextlib.AsyncExitStack, url: str, http: HttpClient, limit_bytes: int, trial: Trial
    ) -> Client:
        args = (url, self.server, self._asked_as, http)
        if self.server.transport != "sse":
            try:
                streams = over_streamable_http(*args, limit_bytes=limit_bytes)
                return await stack.enter_async_context(self._over(streams))
            except Exception:
                if self.server.transport != "auto" or trial.failure or trial.status not in _NOT_STREAMABLE:
                    raise
        first = trial.status
        try:
            return await stack.enter_async_context(self._over(over_sse(*args, limit_bytes=limit_bytes)))
        except Exception:
            trial.status = first or trial.status
            raise

    @asynccontextmanager
    async def _over(self, transport: Any) -> AsyncGenerator[Client, None]:
        async with transport as streams, self._spoken_to(streams) as client:
            yield client

    @asynccontextmanager
    async def _spoken_to(self, streams: Any) -> AsyncGenerator[Client, None]:
        read, write = streams

        @asynccontextmanager
        async def watched() -> AsyncGenerator[Any, None]:
            yield Watched(read, self._lost), write

        async with Client(
            watched(), client_info=_ME, message_handler=self._hear, cache=None, raise_exceptions=False
        ) as client:
            yield client

    def _lost(self) -> None:
        if not self._ending.is_set():
            self._is_lost = True
            self.end()

    async def _hear(self, message: Any) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self._changed()

    async def _listen(self, client: Client) -> None:
        """Hear of changes from servers of the newer generation, which tell only who asks for that."""
        if client.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            return
        tools = client.server_capabilities.tools
        if tools is None or not tools.list_changed:
            return
        for pause_s in _LISTEN_AGAIN_S:
            try:
                async with client.listen(tools_list_changed=True) as events:
                    async for _ in events:
                        self._changed()
            except (ListenNotSupportedError, MCPError):
                return
            except SubscriptionLost:
                pass
            self._changed()  # something may have been missed
            await asyncio.sleep(pause_s)

    async def _kept(self) -> None:
        """Returns when the session is to be closed."""
        while not self._ending.is_set():
            left_s = self._config.idle_s
            if not self.users:
                left_s += self.last_used - time.monotonic()
                if left_s <= 0:
                    return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), left_s)

    async def closed(self, *, within_s: float) -> None:
        """Ends it, and returns when nothing of it is left."""
        self.end()
        if self._task is None:
            return
        done, _ = await asyncio.wait([self._task], timeout=within_s)
        if not done:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=within_s)
