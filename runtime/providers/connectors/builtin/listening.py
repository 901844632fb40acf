"""Hears from servers of the newer generation that their tools have changed: they tell only who asks for that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import chain, repeat

from mcp import Client
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

_AGAIN_S = (1.0, 2.0, 4.0, 8.0, 16.0)
"""The waits before it listens again to a server that has ended that; the last one from then on."""


async def listen(client: Client, changed: Callable[[], None]) -> None:
    """Until it is cancelled, or the server refuses."""
    tools = client.server_capabilities.tools
    if client.protocol_version not in MODERN_PROTOCOL_VERSIONS or tools is None or not tools.list_changed:
        return
    for pause_s in chain(_AGAIN_S, repeat(_AGAIN_S[-1])):
        try:
            async with client.listen(tools_list_changed=True) as events:
                async for _ in events:
                    changed()
        except SubscriptionLost:
            pass
        except (ListenNotSupportedError, MCPError):
            return
        changed()  # something may have been missed
        await asyncio.sleep(pause_s)
