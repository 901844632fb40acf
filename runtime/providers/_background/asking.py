"""Asks again and again what a provider refuses for now, at the pace that it can keep up with."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from runtime.apis.models import ModelRequest, Models
from runtime.context import RequestContext, serving
from runtime.errors import RateLimited, StackError, Unavailable, UpstreamError, unforeseen
from runtime.http.limits import wait_s
from runtime.http.retries import may_pass
from runtime.providers._background.pacing import Pace

T = TypeVar("T")
log = logging.getLogger(__name__)
MOST_OUTAGES = 6
"""How often a request meets a provider that is down before it fails."""


class NobodyAnswers(StackError):
    """Whoever does the asking cannot be reached. The work waits, and none of its requests fails: it is none that a
    request is asked again for, as `Unavailable` is.
    """


class Paces:
    """One for each provider, whoever asks it. models: knows whose a model is. most: of each.

    of_providers: those that were asked, by id.
    """

    def __init__(self, models: Models, most: int) -> None:
        self._models = models
        self._most = most
        self.of_providers: dict[str, Pace] = {}

    async def of(self, model: str) -> Pace:
        """The pace of a model's provider; of one that is not known, where asking fails anyway, one for all of them."""
        try:
            provider_id = (await self._models.get_model(ModelRequest(model_id=model))).provider_id if model else ""
        except StackError:
            provider_id = ""
        return self.of_providers.setdefault(provider_id, Pace(self._most))


async def patiently(ask: Callable[[], Awaitable[T]], pace: Pace) -> T:
    """What it returns at last: it is called again while its provider says that it is asked too much, and some times
    while that is down. Raises the StackError that does not pass, and anything else at once.
    """
    outages = 0
    while True:
        async with pace.place() as place:
            try:
                answer = await ask()
            except StackError as error:
                failure = error
            else:
                pace.answered()
                return answer
            outages += failure.status != RateLimited.status
            if not _may_pass(failure) or outages == MOST_OUTAGES:
                raise failure
            pace.refused(place, wait_s=wait_s(failure.headers))


async def foreseen(work: Awaitable[T], context: RequestContext, what: str, **facts: Any) -> T:
    """What it returns, done as a request of its own. what, facts: for the log, where it fails as nobody expected.

    Raises StackError, and nothing else.
    """
    with serving(context):
        try:
            return await work
        except StackError:
            raise
        except Exception as error:
            log.exception("%s could not be asked", what, extra={**facts, "request_id": context.request_id})
            raise unforeseen() from error


def _may_pass(error: StackError) -> bool:
    """Whether nobody has worked on the request, and somebody may later."""
    if isinstance(error, UpstreamError):
        return may_pass(error, has_time=True)
    return isinstance(error, RateLimited | Unavailable)
