"""The time that a request has left, for what is shared with other requests and so has no deadline itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from runtime.context import current
from runtime.errors import UpstreamTimeout
from runtime.providers.connectors.builtin.servers import Server


@asynccontextmanager
async def in_time(server: Server) -> AsyncGenerator[None, None]:
    """Until the deadline of the request being served. Raises UpstreamTimeout then."""
    deadline = current().deadline
    try:
        async with asyncio.timeout(None if deadline is None else max(0.0, deadline - time.monotonic())):
            yield
    except TimeoutError:
        words = f"MCP server `{server.label}` had not answered when the request's time was over"
        raise UpstreamTimeout(words, provider_id=server.label) from None
