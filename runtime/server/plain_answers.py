"""The answer of a request that failed."""

from __future__ import annotations

from typing import Any

from litestar import Response
from litestar.types import Receive, Scope, Send

from runtime.context import current
from runtime.errors import StackError
from runtime.server.answer import send_json
from runtime.server.doors import DoorErrors


class ErrorAnswer(Response[None]):
    """An error in its door's shape, with its status."""

    def __init__(self, error: StackError, errors: DoorErrors) -> None:
        super().__init__(content=None)
        self._error = error
        self._errors = errors

    def to_asgi_response(self, *args: Any, **kwargs: Any) -> Any:
        return self.serve

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = self._errors.json(self._error, request_id=current().request_id)
        await send_json(send, body, status=self._error.status, headers=self._error.headers)
