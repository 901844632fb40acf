"""Describes a provider's failure for callers, records and health checks.

The message of an unexpected exception may contain anything, such as an address with its password. So it is only logged,
with secrets masked, and the caller gets the exception's class. Our own errors are shown with their message, but the
secrets of the provider's settings are masked in it too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar
from urllib.parse import quote

from runtime.errors import StackError
from runtime.provider import contained
from runtime.redaction import MASK, redact_text
from runtime.stack.planned import PlannedProvider

T = TypeVar("T")
log = logging.getLogger(__name__)
_MAX_LENGTH = 1000
_MIN_SECRET_LENGTH = 3
CANCEL_LIMIT_S = 1.0
"""How long work may take to end where nobody waits for it any more: part of the time in which a stack must close."""


class TookTooLong(TimeoutError):
    """A provider did not finish its work in time."""


def reason_of(error: BaseException, planned: PlannedProvider, what: str) -> str:
    """Why a provider failed and what to do about it, safe to show. what: `did not start`."""
    if isinstance(error, StackError):
        remedy = f" ({error.hint})" if error.hint else ""
        return without_secrets(error.message.rstrip(".") + remedy, planned)
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"`{planned.provider_id}` needs `{error.name}`, which is not installed: build the distribution again"
    return f"`{planned.provider_id}` {what}: {type(error).__name__}; the server's log says why"


def without_secrets(text: str, planned: PlannedProvider) -> str:
    """A text about a provider, without the secrets of its settings and not too long."""
    secrets = {form for secret in planned.secrets() for form in (secret, secret.strip(), quote(secret, safe=""))}
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _MIN_SECRET_LENGTH:
            text = text.replace(secret, MASK)
    text = redact_text(text)
    return text if len(text) <= _MAX_LENGTH else text[:_MAX_LENGTH] + " ..."


async def attempt(work: Coroutine[Any, Any, T], *, limit_s: float | None) -> T:
    """What a provider's work returns or raises. Raises TookTooLong after the limit, in seconds, and RuntimeError for
    work that cancels itself.

    It runs in its own task, so that code that cancels itself, ignores being cancelled, or tries to end the process does
    not affect anything else.
    """
    task = asyncio.create_task(contained(work))
    try:
        await asyncio.wait({task}, timeout=limit_s)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_LIMIT_S)
        raise
    finally:
        task.add_done_callback(_mark_as_seen)
    if not task.done():
        task.cancel()
        raise TookTooLong
    if task.cancelled():
        raise RuntimeError("it cancelled itself")
    return task.result()


def _mark_as_seen(task: asyncio.Task[Any]) -> None:
    """Prevents asyncio's warning about a failure that happens after we stopped waiting."""
    if not task.cancelled():
        task.exception()
