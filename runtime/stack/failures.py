"""A provider's failure in words: what callers, records and health may read of it.

The words of an exception that nobody foresaw may hold anything, such as an address with its password: they go to the
log, where secrets are masked, and its class to the caller. Our own errors were worded for people; the secrets of the
provider's settings are masked in them all the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar
from urllib.parse import quote

from runtime.config.redaction import MASK, redact_text
from runtime.errors import StackError
from runtime.provider import contained
from runtime.stack.planned import PlannedProvider

T = TypeVar("T")
log = logging.getLogger(__name__)
_LONGEST = 1000
_SHORTEST_SECRET = 3
_LAST_WORDS_S = 3.0


class TookTooLong(TimeoutError):
    """What a provider was asked to do did not end in time."""


def reason_of(error: BaseException, planned: PlannedProvider, what: str) -> str:
    """Why a provider failed and what to do about it, safe to show. what: `did not start`."""
    if isinstance(error, StackError):
        remedy = f" ({error.hint})" if error.hint else ""
        return without_secrets(error.message.rstrip(".") + remedy, planned)
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"`{planned.provider_id}` needs `{error.name}`, which is not installed: build the distribution again"
    return f"`{planned.provider_id}` {what}: {type(error).__name__}; the server's log says why"


def without_secrets(text: str, planned: PlannedProvider) -> str:
    """Words about a provider without the secrets of its settings, and not too many of them."""
    secrets = {form for secret in planned.secrets() for form in (secret, secret.strip(), quote(secret, safe=""))}
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, MASK)
    text = redact_text(text)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."


async def attempt(work: Coroutine[Any, Any, T], *, limit_s: float | None) -> T:
    """What a provider's work returns or raises. Raises TookTooLong after the limit, in seconds, and RuntimeError for
    work that cancels itself.

    It runs in a task of its own: code that cancels itself, takes no notice of being cancelled, or wants to end the
    process, ends nothing else.
    """
    task = asyncio.create_task(contained(work))
    try:
        await asyncio.wait({task}, timeout=limit_s)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task}, timeout=_LAST_WORDS_S)
        raise
    finally:
        task.add_done_callback(_looked_at)
    if not task.done():
        task.cancel()
        raise TookTooLong
    if task.cancelled():
        raise RuntimeError("it cancelled itself")
    return task.result()


def _looked_at(task: asyncio.Task[Any]) -> None:
    """So that asyncio does not complain of a failure that came after we had stopped waiting."""
    if not task.cancelled():
        task.exception()
