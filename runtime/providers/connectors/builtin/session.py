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
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
import mcp_types as types
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import CONNECTION_CLOSED, HEADER_MISMATCH, INVALID_PARAMS
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import TypeAdapter, ValidationError

from runtime.errors import RequestError, StackError, UpstreamTimeout
from runtime.providers.connectors.builtin.failures import SessionLost, failed, not_opened, quoted
from runtime.providers.connectors.builtin.listening import listen
from runtime.providers.connectors.builtin.opening import Opening
from runtime.providers.connectors.builtin.quiet import hush, quiet
from runtime.providers.connectors.builtin.target import SessionTarget
from runtime.providers.connectors.builtin.trial import ASKED, Trial
from runtime.similar import LONGEST_NAME

T = TypeVar("T")
log = logging.getLogger(__name__)
_RESULT: TypeAdapter[types.CallToolResult | types.InputRequiredResult] = TypeAdapter(
    types.CallToolResult | types.InputRequiredResult
)
_MOST_PAGES = 100
_MOST_LIST_BYTES = 16 * 1024**2
"""Of the tools of one server, as JSON."""
_LAST_WORDS_S = 1.0
"""How long a call whose session has ended waits for the reason."""


class Session:
    """changed: called when the server says that its tools have changed; ended: when the session can no longer be used.

    info: what the server calls itself. is_settled: set once it is open or could not be opened. users: those who use it
    now; last_used: of `time.monotonic()`.
    """

    def __init__(self, target: SessionTarget, *, changed: Callable[[], None], ended: Callable[[], None]) -> None:
        self.server = target.server
        self.info: types.Implementation | None = None
        self.is_settled = asyncio.Event()
        self.users = 0
        self.last_used = time.monotonic()
        self._config = target.config
        self._opening = Opening(target, hear=self._hear, lost=self.end)
        self._changed = changed
        self._tell_ended = ended
        self._failure: StackError | None = None
        self._client: Client | None = None
        self._ending = asyncio.Event()
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
        return self._failure if self._client is None else None

    def end(self) -> None:
        """No call begins any more; those that run lose it."""
        if not self._ending.is_set():
            self._ending.set()
            self._tell_ended()

    async def closed(self, *, within_s: float) -> None:
        """Ends it, and returns when nothing of it is left."""
        self.end()
        if self._task is None:
            return
        done, _ = await asyncio.wait([self._task], timeout=within_s)
        if not done:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=within_s)

    async def listed(self) -> list[types.Tool]:
        """All tools. Raises SessionLost, and UpstreamError."""
        client = self._open_client()

        async def pages() -> list[types.Tool]:
            tools: list[types.Tool] = []
            size_bytes = 0
            cursor: str | None = None
            for _ in range(_MOST_PAGES):
                page = await client.list_tools(cursor=cursor)
                if cursor == "" and {tool.name for tool in page.tools} <= {tool.name for tool in tools}:
                    return tools  # the first page again: for this server an empty cursor is none
                if not all(1 <= len(tool.name) <= LONGEST_NAME for tool in page.tools):
                    raise failed(
                        self.server, f"has a tool without a name, or with one of over {LONGEST_NAME} characters"
                    )
                tools.extend(page.tools)
                size_bytes += sum(len(tool.model_dump_json()) for tool in page.tools)
                if size_bytes > _MOST_LIST_BYTES:
                    raise failed(self.server, f"lists tools of more than {_MOST_LIST_BYTES // 1024**2} MiB")
                if len(tools) > self._config.max_tools:
                    raise failed(
                        self.server,
                        f"has more than {self._config.max_tools} tools",
                        hint="raise `max_tools` in the config of its provider",
                    )
                cursor = page.next_cursor
                if cursor is None:
                    return tools
            raise failed(self.server, f"lists its tools on more than {_MOST_PAGES} pages")

        return await self._asked(pages, Trial(), limit_s=self._config.list_timeout_s, what="did not list its tools")

    async def called(self, name: str, arguments: dict[str, Any]) -> tuple[types.CallToolResult, Trial]:
        """What a tool gave back, and what was sent for it. Raises SessionLost, UpstreamError, and RequestError for
        arguments that the server refuses.
        """
        client = self._open_client()
        params = types.CallToolRequestParams(name=name, arguments=arguments)
        request = types.CallToolRequest(params=params)

        async def call() -> types.CallToolResult | types.InputRequiredResult:
            try:
                return await client.session.send_request(request, _RESULT)
            except MCPError as mismatch:
                # The server has not run it: it wants headers, which the SDK takes from its own list of tools.
                if mismatch.code != HEADER_MISMATCH:
                    raise
            await self.listed()
            return await client.session.send_request(request, _RESULT)

        trial, what = Trial(), f"did not complete the call of `{name}`"
        result = await self._asked(call, trial, limit_s=self._config.call_timeout_s, what=what)
        if isinstance(result, types.InputRequiredResult):
            what = f"wants to ask somebody something before it runs `{name}`, which cannot be done here"
            raise failed(self.server, what)
        return result, trial

    def _open_client(self) -> Client:
        if self._client is None or not self.is_usable:
            raise SessionLost(failed(self.server, "has ended the session"), may_have_run=False)
        return self._client

    async def _asked(self, make: Callable[[], Awaitable[T]], trial: Trial, *, limit_s: float, what: str) -> T:
        """What the server answers. what: it did not do in time."""
        token = ASKED.set(trial)
        try:
            async with asyncio.timeout(limit_s):
                with quiet(), anyio.CancelScope() as scope:
                    trial.abandon = scope.cancel
                    return await make()
        except TimeoutError:
            words = f"MCP server `{self.server.label}` {what} in {limit_s:g} s"
            raise UpstreamTimeout(words, provider_id=self.server.label) from None
        except MCPError as error:
            raise await self._told(error, trial) from None
        except ValidationError:
            raise failed(self.server, "gave an answer that the protocol does not have") from None
        finally:
            trial.abandon = None
            ASKED.reset(token)
        assert trial.failure is not None, "the wait is abandoned only after a failure"
        raise trial.failure

    async def _told(self, error: MCPError, trial: Trial) -> Exception:
        """What an error of the SDK comes to."""
        if trial.failure is not None:
            return trial.failure
        if trial.status in (400, 404) and self._is_older:
            self.end()
            return SessionLost(failed(self.server, "no longer knows the session"), may_have_run=False)
        if error.code == CONNECTION_CLOSED:
            if self._task is not None and not self.is_usable:
                await asyncio.wait([self._task], timeout=_LAST_WORDS_S)
            failure = self._failure or failed(
                self.server,
                "ended the session, or its answer, before it had answered",
                hint="it may have done what it was asked; ask again if that does no harm",
            )
            return SessionLost(failure, may_have_run=True)
        if error.code == INVALID_PARAMS:
            words = f"MCP server `{self.server.label}` refused the request: {quoted(error, trial)}"
            return RequestError(words, code="mcp_refused")
        status = f" with {trial.status}" if trial.status else ""
        words = f"answered{status}: {quoted(error, trial)}"
        return failed(self.server, words, upstream_status=trial.status or None)

    @property
    def _is_older(self) -> bool:
        """Of the generation with sessions at the server."""
        return self._client is not None and self._client.protocol_version not in MODERN_PROTOCOL_VERSIONS

    async def _run(self) -> None:
        hush()
        with quiet():
            await self._kept_open()

    async def _kept_open(self) -> None:
        """Open the session, keep it while it is used, and close it."""
        trial = Trial()
        too_slow = asyncio.get_running_loop().call_later(self._config.connect_timeout_s, self._too_slow)
        ASKED.set(trial)
        try:
            async with self._opening.opened(trial) as client:
                too_slow.cancel()
                ASKED.set(None)
                self._client, self.info = client, client.server_info
                self.last_used = time.monotonic()
                self.is_settled.set()
                listening = asyncio.create_task(listen(client, self._changed))
                try:
                    await self._kept()
                finally:
                    self.end()
                    listening.cancel()
                    await asyncio.gather(listening, return_exceptions=True)
        except asyncio.CancelledError:
            if self._failure is None:
                self._failure = failed(self.server, "was left: this server stops")
                raise
        except Exception as error:
            self._failure = self._failure or not_opened(self.server, error, trial)
            if self._client is not None:
                fields = {"server": self.server.label, "error": self._failure.message}
                log.warning("MCP session broken off", extra=fields)
        finally:
            too_slow.cancel()
            self.end()
            self.is_settled.set()

    def _too_slow(self) -> None:
        if self._task is not None and not self.is_settled.is_set():
            words = f"MCP server `{self.server.label}` opened no session in {self._config.connect_timeout_s:g} s"
            self._failure = UpstreamTimeout(words, provider_id=self.server.label)
            self._task.cancel()

    async def _kept(self) -> None:
        """Returns when the session is to be closed."""
        while not self._ending.is_set():
            left_s = self._config.idle_s
            if not self.users:
                left_s += self.last_used - time.monotonic()
                if left_s <= 0:
                    return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._ending.wait()

    async def _hear(self, message: Any) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self._changed()
