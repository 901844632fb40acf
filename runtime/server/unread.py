"""The end of a connection whose client reads nothing of its answer."""

from __future__ import annotations

import asyncio
import logging

log = logging.getLogger(__name__)
UNREAD_LIMIT_S = 300.0
"""How long a client may read nothing while its answer waits to be sent; a stream keeps its call upstream open."""


def unsent_bytes(transport: asyncio.Transport) -> int:
    """How much waits to be sent. A TLS transport of asyncio cannot say that any more once it was closed twice."""
    try:
        return transport.get_write_buffer_size()
    except AttributeError:
        return 0


class Unread:
    """Watches one connection while bytes wait that its client does not take."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._timer: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Abort the connection if what waits is not less by the end of the limit; nothing is added meanwhile. Goes on
        where it is watched already.
        """
        if self._timer is not None:
            return
        waiting_bytes = unsent_bytes(self._transport)
        self._timer = asyncio.get_running_loop().call_later(UNREAD_LIMIT_S, self._end, waiting_bytes)

    def forget(self) -> None:
        """Watch no more: it has been read, or the connection has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self, waiting_bytes: int) -> None:
        self._timer = None
        if unsent_bytes(self._transport) < waiting_bytes:
            self.watch()
        else:
            log.info("a client reads nothing of its answer", extra={"waited_s": UNREAD_LIMIT_S})
            self._transport.abort()
