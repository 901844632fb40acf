"""Looks up names that users give, apart from those of vendors.

A user's name may be served by a name server that takes its time, or by the user's own. The event loop has four threads
for look-ups, which all other names wait for; so these have threads of their own.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_threads = ThreadPoolExecutor(16, thread_name_prefix="look-up of a user's name")


async def look_up(host: str, port: int | None = None, family: int = socket.AF_UNSPEC) -> list[tuple[Any, ...]]:
    """Its addresses for TCP, as `socket.getaddrinfo` has them. Raises OSError for a name that is not known.

    One whose caller has left before it began is not looked up.
    """
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads, socket.getaddrinfo, host, port, family, socket.SOCK_STREAM)
