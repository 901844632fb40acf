"""Opens connections and keeps them for the next request, unless the server has sent something unasked over one."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.tracing import Trace


class Connector(aiohttp.TCPConnector):
    """aiohttp keeps what arrives over an idle connection, such as a proxy's 408, and takes it for the answer of the
    next request. Each later caller would get the answer of the one before. So such a connection is closed instead.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._used: WeakSet[ResponseHandler] = WeakSet()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's
    ) -> Connection:
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            assert protocol is not None, "it has just been acquired"
            if protocol not in self._used:  # what comes first over a new one is shown as it is
                self._used.add(protocol)
                return connection
            if not protocol.should_close:
                return connection
            connection.close()
