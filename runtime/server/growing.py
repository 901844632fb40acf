"""Serves a stack that was opened by need: the first request for what is not made yet has it made, and is answered then.

Before that the paths of what waits are known to nobody, since their models cost more than all else that a start does.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from runtime.server.mounts import mount
from runtime.stack.stack import Stack

_ASKS = (ScopeType.HTTP, ScopeType.WEBSOCKET)


class Growing:
    """make: the application of what is made of the stack at this moment."""

    def __init__(self, stack: Stack, make: Callable[[], ASGIApp]) -> None:
        self._stack = stack
        self._make = make
        self._app = make()
        self._is_served: Callable[[str], object] | None = served_paths(stack).fullmatch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises Unavailable where what waits cannot be made."""
        if self._is_served is not None and scope["type"] in _ASKS and not self._is_served(scope["path"]):
            await self._stack.complete()
            if self._is_served is not None:  # nobody else has done it meanwhile
                self._app, self._is_served = self._make(), None
        await self._app(scope, receive, send)


def served_paths(stack: Stack) -> re.Pattern[str]:
    """The paths that the stack serves already. One that is sent in another way, as with a slash at its end, is none."""
    paths = {
        mount(path).pattern
        for api in stack.mounted().values()
        for operation in api.operations()
        for _, path, _ in operation.route.mounts()
    }
    return re.compile("|".join(sorted(paths)), re.DOTALL)
