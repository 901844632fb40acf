"""ASGI's types, https://asgi.readthedocs.io/en/latest/specs/main.html. Not Litestar's: what answers a request knows
nothing of what has found it, and a program with the stack as a library often needs no Litestar.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
"""What is known of a request or a connection before its first message."""
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
HTTP, WEBSOCKET = "http", "websocket"
"""Types of a scope."""
