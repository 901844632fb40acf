"""Sends a refused request again: only if nothing has reached our client, and the upstream cannot have worked on it.

That is so if nothing was sent (`UpstreamUnreachable`), and after an answer that says so: a 429, or an overloaded server
that says when to come back. A request that got no answer may have been worked on, so it is never sent twice.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from runtime.context import current
from runtime.errors import UpstreamError, UpstreamUnreachable
from runtime.http.limits import NO_RETRY, SHOULD_RETRY, wait_s
from runtime.http.transport import Outgoing

T = TypeVar("T")
log = logging.getLogger(__name__)
COUNT = "x-llama-retries"
"""The header that tells our client how often a call for its request was sent again, all its calls together."""
_BASE_S = 0.25
_RATE_LIMITED = 429
_OVERLOADED = (498, 503, 529)
_REPEATABLE = (408, 409)
"""Refused before the work, but not for a reason that passes, unless the vendor says so."""
_MAX_WAITING = 64
"""How many requests of one provider wait at once to be sent again to a server that refused them. If more were, an
overloaded server would get all of them a second and a third time; their clients are told to wait instead.
"""


@dataclass(kw_only=True, slots=True)
class Retries:
    """For one provider. times: how often a request is sent again at most; 0 for never. within_s: the longest time from
    its first failure until it is sent again for the last time. repeats: whether a failure is one after which it may be.
    waiting: how many requests that a server refused wait now.
    """

    times: int = 2
    within_s: float = 5.0
    repeats: Callable[[UpstreamError], bool] = lambda _: True
    waiting: int = field(default=0, init=False)

    async def again(self, attempt: Callable[[Outgoing], Awaitable[T]], request: Outgoing, failure: UpstreamError) -> T:
        """What a later attempt returns. failure: of the first one. Raises the last failure, with `x-should-retry` set
        so that our client does not multiply the attempts.

        Only for a request that our client waits for: what the stack asks by itself, it asks again by its own schedule.
        """
        context, until, is_sent_again = current(), time.monotonic() + self.within_s, False
        is_awaited = context.is_serving and not context.in_background
        for turn in range(self.times if is_awaited and isinstance(request.body, bytes | None) else 0):
            pause_s = _pause_s(failure, turn)
            is_refused = failure.upstream_status is not None
            if pause_s is None or not self.repeats(failure) or time.monotonic() + pause_s > until:
                raise failure
            if is_refused and self.waiting >= _MAX_WAITING:
                raise failure
            log.info(
                "request is sent again",
                extra={
                    "request_id": context.request_id,
                    "provider_id": failure.provider_id,
                    "status": failure.upstream_status,
                    "wait_s": round(pause_s, 2),
                },
            )
            await self._wait(pause_s, is_refused=is_refused)
            is_sent_again = True
            context.headers[COUNT] = str(int(context.headers.get(COUNT, 0)) + 1)
            try:
                return await attempt(request)
            except UpstreamError as error:
                failure = error
        if is_sent_again and _pause_s(failure, 0) is not None:
            failure.headers |= NO_RETRY
        raise failure

    async def _wait(self, pause_s: float, *, is_refused: bool) -> None:
        self.waiting += is_refused
        try:
            await asyncio.sleep(pause_s)
        finally:
            self.waiting -= is_refused


def may_pass(failure: UpstreamError, *, has_time: bool = False) -> bool:
    """Whether the server cannot have worked on the request, and may later: it was not reached, or has refused it for
    now. has_time: whether waiting is worth it also where the server does not say for how long.
    """
    said, status = failure.headers.get(SHOULD_RETRY), failure.upstream_status
    if isinstance(failure, UpstreamUnreachable) or status == _RATE_LIMITED:
        return said != "false"
    if status in _OVERLOADED:
        return said == "true" or ((has_time or wait_s(failure.headers) is not None) and said != "false")
    return status in _REPEATABLE and said == "true"


def _pause_s(failure: UpstreamError, turn: int) -> float | None:
    """How long to wait before the request is sent again, in seconds; None if it must not be. turn: how often it was
    sent again before.
    """
    jitter = random.uniform(0.5, 1.0)  # noqa: S311  # so that those who were refused together do not come back together
    return (wait_s(failure.headers) or 0.0) + _BASE_S * 2**turn * jitter if may_pass(failure) else None
