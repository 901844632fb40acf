"""Answers of servers whose addresses are fixed and elsewhere, so that none of ours can stand in for them: what would be
sent there is answered here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from runtime.http.timeouts import Timeouts
from runtime.http.transport import Exchange, Outgoing


class Answer:
    """An `Exchange` whose answer is here already."""

    proxy = ""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.headers: Mapping[str, str] = {"content-type": "application/json"}
        self._body = body

    async def read(self) -> bytes:
        return self._body

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self._body

    async def close(self) -> None:
        pass


class Answering:
    """A `Transport`. answer: the status and the JSON, or the bytes, of a request's answer; timeouts: how long it would
    be waited for.
    """

    def __init__(self, answer: Callable[[Outgoing, Timeouts], tuple[int, Any]]) -> None:
        self._answer = answer

    async def send(self, request: Outgoing, timeouts: Timeouts) -> Exchange:
        await asyncio.sleep(0)
        status, told = self._answer(request, timeouts)
        return Answer(status, told if isinstance(told, bytes) else json.dumps(told).encode())

    async def close(self) -> None:
        pass
