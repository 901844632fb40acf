"""The tools of servers as they were last listed: one round for all who ask at the same time, none while it is fresh.

Whoever asks for all tools asks every server, and would wait for one that hangs, each time for as long as it may take.
So one that did not answer in time is waited for only shortly until it answers again; it is asked all the same.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from runtime.apis.connectors.protocol import ConnectorTool
from runtime.errors import UpstreamTimeout
from runtime.providers.connectors.builtin.config import ConnectorsConfig
from runtime.providers.connectors.builtin.identities import AskedAs
from runtime.providers.connectors.builtin.pool import Pool, key_of
from runtime.providers.connectors.builtin.servers import Server
from runtime.rounds import Rounds

_MOST_LISTS = 512
_MOST_BYTES = 64 * 1024**2
"""Of all lists that are kept, as JSON."""
_JUST_NOW_S = 1.0
"""A list of this age is not asked for again because of a name that is not in it."""

_SHORTLY_S = 1.0


@dataclass(frozen=True, kw_only=True)
class _Listed:
    tools: Sequence[ConnectorTool]
    at: float
    size_bytes: int


class ToolLists:
    def __init__(self, config: ConnectorsConfig) -> None:
        self._config = config
        self._kept: OrderedDict[Hashable, _Listed] = OrderedDict()
        self._kept_bytes = 0
        self._hanging: OrderedDict[Hashable, UpstreamTimeout] = OrderedDict()
        self._rounds: Rounds[Sequence[ConnectorTool]] = Rounds()

    def changed(self, key: Hashable) -> None:
        """The tools of a server have changed: what is listed, or being listed, is old."""
        self._drop(key)
        self._rounds.forget(key)

    async def of(self, pool: Pool, server: Server, asked_as: AskedAs, *, anew: bool = False) -> list[ConnectorTool]:
        """The tools that may be called. anew: whether a list is too old that was not made just now."""
        key = key_of(server, asked_as)
        kept = self._kept.get(key)
        age_s = _JUST_NOW_S if anew else self._config.tools_max_age_s
        if kept is not None and time.monotonic() - kept.at < age_s:
            self._kept.move_to_end(key)
            tools = kept.tools
        else:
            tools = await self._asked(pool, server, asked_as, key)
        return [tool for tool in tools if server.allows(tool.name)]

    async def _asked(self, pool: Pool, server: Server, asked_as: AskedAs, key: Hashable) -> Sequence[ConnectorTool]:
        hanging = self._hanging.get(key)
        asked = self._rounds.of(key, lambda: self._listed(pool, server, asked_as, key))
        if hanging is None:
            return await asked
        try:
            async with asyncio.timeout(_SHORTLY_S):
                return await asked
        except TimeoutError:
            raise hanging.for_another() from None

    async def _listed(self, pool: Pool, server: Server, asked_as: AskedAs, key: Hashable) -> Sequence[ConnectorTool]:
        try:
            found = await pool.asked(server, asked_as, lambda session: session.listed(), repeats=True)
        except UpstreamTimeout as error:
            self._hanging[key] = error.for_another()
            while len(self._hanging) > _MOST_LISTS:
                self._hanging.popitem(last=False)
            raise
        self._hanging.pop(key, None)
        tools = [self._shown(tool) for tool in found]
        if self._rounds.is_current(key):
            self._keep(key, _Listed(tools=tools, at=time.monotonic(), size_bytes=sum(map(_size_bytes, tools))))
        return tools

    def _keep(self, key: Hashable, listed: _Listed) -> None:
        """In place of those that nobody has asked for longest."""
        self._drop(key)
        self._kept[key] = listed
        self._kept_bytes += listed.size_bytes
        while len(self._kept) > _MOST_LISTS or self._kept_bytes > _MOST_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Hashable) -> None:
        if (dropped := self._kept.pop(key, None)) is not None:
            self._kept_bytes -= dropped.size_bytes

    def _shown(self, tool: object) -> ConnectorTool:
        """tool: one of the SDK's, whose names on the wire are ours but for their spelling."""
        given = tool.model_dump(mode="json", exclude_none=True)  # type: ignore[attr-defined]
        longest = self._config.max_description_chars
        description = given.get("description")
        if description is not None and len(description) > longest:
            description = f"{description[:longest]}… (cut off)"
        annotations = tool.annotations  # type: ignore[attr-defined]
        return ConnectorTool(
            name=given["name"],
            title=given.get("title"),
            description=description,
            input_schema=given["input_schema"],
            output_schema=given.get("output_schema"),
            annotations=annotations and annotations.model_dump(mode="json", by_alias=True, exclude_none=True),
        )


def _size_bytes(tool: ConnectorTool) -> int:
    return len(tool.model_dump_json(exclude_none=True))
