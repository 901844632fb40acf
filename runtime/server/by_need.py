"""The application of a stack that was opened by need, for callers in its own process and for a server that is to answer
soon: it does without most of what a server needs otherwise.

What is asked in the plainest way, a path as it is documented and a method that it has, is found in a table. Whatever
else is asked goes to the application that a server has, which is made for the first such request, and so is what waits
of a stack that was opened by need. Both answer by `Served`: there is one meaning of a request, and two ways to find it.
Importing Litestar, and the models of what nobody asks for, costs as much as all else that a start does.
"""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runtime.server.asgi import HTTP, App, Receive, Scope, Send
from runtime.server.closing import close_in_time
from runtime.server.doors import Doors
from runtime.server.masking import Hidden
from runtime.server.middleware.origin import OriginMiddleware
from runtime.server.middleware.request import RequestMiddleware
from runtime.server.mounts import Mount
from runtime.server.ongoing import Ongoing
from runtime.server.served import Path, Served
from runtime.stack.stack import Stack

if TYPE_CHECKING:
    from runtime.telemetry.metrics.of_spans import SpanMetrics

_ROUTED = "runtime.server.app"
_NO_PARAMETERS: dict[str, str] = {}


def app_by_need(
    stack: Stack,
    *,
    hosts: Sequence[str] | None = None,
    hidden: Hidden | None = None,
    metrics: SpanMetrics | None = None,
) -> RequestMiddleware:
    """The application of an open stack, without CORS. Its lifespan, which a server has and a caller in this process has
    not, closes the stack at the end; the caller starts it. hosts, hidden, metrics: see `make_app`.
    """
    doors = Doors(stack.plan.apis.values(), hidden or Hidden(stack.plan.secrets()))
    ongoing = Ongoing()
    app: App = ByNeed(stack, doors, ongoing)
    if metrics is not None:
        from runtime.server.metrics import with_metrics  # not above: most servers have none

        app = with_metrics(app, metrics, stack, ongoing)
    guarded = OriginMiddleware(app, cors=None, hosts=hosts)
    return RequestMiddleware(
        guarded, ongoing, stack.instance, doors, stack.nameless, stack.faults, processor=lambda: stack.processor
    )


class ByNeed:
    """Finds what is meant, and gives what it does not find to `routed`."""

    def __init__(self, stack: Stack, doors: Doors, ongoing: Ongoing) -> None:
        self._stack = stack
        self._doors = doors
        self._ongoing = ongoing
        self._served = Served(stack, doors, ongoing)
        self._table = Table(self._served.paths)
        self._others: App | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises Unavailable where what waits cannot be made, NotFound, and what an operation does."""
        if scope["type"] == HTTP and (found := self._table.find(scope["method"], scope["path"])) is not None:
            scope["path_template"], scope["path_params"] = found
            await self._served.serve(scope, receive, send)
            return
        if scope["type"] == "lifespan":
            await _live(self._stack, receive, send)
            return
        if self._others is None:
            await self._stack.complete()
            await asyncio.to_thread(importlib.import_module, _ROUTED)  # it would hold up a program's own event loop
        if self._others is None:  # nobody else has done it meanwhile
            self._others = self._routed()
        await self._others(scope, receive, send)

    def _routed(self) -> App:
        from runtime.server.app import routed  # not above: it brings Litestar

        self._served = Served(self._stack, self._doors, self._ongoing)
        self._table = Table(self._served.paths)
        return routed(self._stack, self._served, self._doors)


async def _live(stack: Stack, receive: Receive, send: Send) -> None:
    """ASGI's lifespan: https://asgi.readthedocs.io/en/latest/specs/lifespan.html"""
    while True:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            await close_in_time(stack)
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


class Table:
    """Paths, to find the one that a plain request names: it has fields where the path has, and is written like it."""

    def __init__(self, paths: dict[str, Path]) -> None:
        self._methods = {template: frozenset(path.methods()) - {"OPTIONS"} for template, path in paths.items()}
        mounts = {one.mount for path in paths.values() for several in path.operations.values() for one in several}
        self._templates = {mount.path: mount.template for mount in mounts if not mount.segments}
        self._with_fields = {_group(place): mount for place, mount in enumerate(_closest_first(mounts))}
        patterns = (f"(?P<{group}>{mount.pattern})" for group, mount in self._with_fields.items())
        self._find = re.compile("|".join(patterns), re.DOTALL).fullmatch

    def find(self, method: str, path: str) -> tuple[str, dict[str, str]] | None:
        """The template and its parameters, as Litestar has them; None for what is not that plain."""
        if (template := self._templates.get(path)) is not None:
            return (template, _NO_PARAMETERS) if method in self._methods[template] else None
        if "//" in path or path.endswith("/") or (found := self._find(path)) is None or found.lastgroup is None:
            return None
        mount = self._with_fields[found.lastgroup]
        if method not in self._methods[mount.template]:
            return None
        return mount.template, mount.parameters(path)


def _group(place: int) -> str:
    return f"mount{place}"


def _closest_first(mounts: set[Mount]) -> list[Mount]:
    """Those with fields, in the order in which they are tried: where two fit a path, Litestar takes the one that has
    text of its own in the first segment in which they differ, and a field that takes slashes last.
    """
    with_fields = [mount for mount in mounts if mount.segments]
    return sorted(with_fields, key=lambda mount: [_rank(part) for part in mount.path.split("/")])


def _rank(part: str) -> tuple[int, str]:
    if not part.startswith("{"):
        return 0, part
    return (2 if part.endswith(":path}") else 1), part
