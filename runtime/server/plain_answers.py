"""The answer of a request that failed."""

from __future__ import annotations

from runtime.context import current
from runtime.errors import StackError
from runtime.server.answer import send_json
from runtime.server.asgi import Send
from runtime.server.doors import DoorErrors
from runtime.telemetry.refusals import note_refusal
from runtime.telemetry.spans import current_span


async def send_error(send: Send, error: StackError, errors: DoorErrors) -> None:
    """Send an error in its door's shape, with its status. The span of the request says it too."""
    if (span := current_span()) is not None:
        note_refusal(span, error, readable=errors.readable)
    body = errors.json(error, request_id=current().request_id)
    await send_json(send, body, status=error.status, headers=error.headers)
