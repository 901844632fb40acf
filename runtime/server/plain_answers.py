"""The answer of a request that failed."""

from __future__ import annotations

from runtime.context import current
from runtime.errors import StackError
from runtime.server.answer import send_json
from runtime.server.asgi import Send
from runtime.server.doors import DoorErrors


async def send_error(send: Send, error: StackError, errors: DoorErrors) -> None:
    """Send an error in its door's shape, with its status."""
    body = errors.json(error, request_id=current().request_id)
    await send_json(send, body, status=error.status, headers=error.headers)
