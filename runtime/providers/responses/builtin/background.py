"""Responses in the background: answered at once, made by a job, followed and cancelled by whoever knows the id.

    create -> row `queued`, job -> answer          cancel -> row `cancelled`, the job is told          job: see `job.py`

The row is there before the job, and held until that is there too: if the process dies between the two, it is read as
`incomplete` some time later.
"""

from __future__ import annotations

import asyncio
import contextlib

from runtime.apis.responses.protocol import CreateResponseRequest, GetResponseRequest
from runtime.context import RequestContext, current
from runtime.errors import RateLimited, RequestError, StackError
from runtime.provider import ProviderContext
from runtime.providers.responses.builtin.answering import RUNS, Answering
from runtime.providers.responses.builtin.credentials import Secrets, without_credentials
from runtime.providers.responses.builtin.job import ResponseJob, Waiting
from runtime.providers.responses.builtin.keeping import Kept, insertion
from runtime.providers.responses.builtin.preparing import Preparing
from runtime.providers.responses.builtin.shown import new_response
from runtime.providers.responses.builtin.tables import RESPONSES
from runtime.providers.responses.builtin.telling import Telling, rows_of
from runtime.sse import EventStream, Json, Reply, encode
from runtime.storage.sql import Delete, Select, SqlStore, Update, eq
from runtime.storage.sql.holding import Holding
from runtime.to_the_end import to_the_end

_CANCELLED_WITHIN_S = 5.0
MOST_WAITING = 10_000


class Background:
    """store: of all users. most: how many responses this process makes at once. most_waiting: how many it keeps."""

    def __init__(
        self,
        context: ProviderContext,
        store: SqlStore,
        *,
        kept: Kept,
        preparing: Preparing,
        holding: Holding,
        most: int,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._most_waiting = most_waiting
        self._store = store
        self._kept = kept
        self._preparing = preparing
        self._holding = holding
        self.telling = Telling(store)
        # Keys and credentials that callers send are on no disk: another process does not have them.
        self._waiting: dict[str, Waiting] = {}
        self._job = ResponseJob(self._waiting, kept=kept, preparing=preparing, holding=holding, telling=self.telling)
        self._jobs = context.jobs.handle(
            f"response:{context.provider_id}", self._job.make, concurrency=most, attempts=2, stays=False,
            traced="joined",
        )  # fmt: skip

    async def create(self, request: CreateResponseRequest, position: int) -> Json:
        """The response, `queued` and on disk. Raises what `Preparing.prepare` does, RateLimited, Unavailable."""
        await self._check_room()
        answering = Answering(new_response(request, position), position, streams=bool(request.stream))
        prepared = await self._preparing.prepare(request, self._kept.mine(), answering)
        answering.queue()
        payload, secrets = without_credentials(request.wire())
        row = insertion(answering, prepared.history, held_until=self._holding.until())
        response_id: str = answering.response["id"]
        try:
            await self._kept.mine().write(*row, *rows_of(response_id, answering.take()))
            await self._add_job(response_id, payload, secrets)
        except BaseException:
            await to_the_end(self._take_back(response_id))
            raise
        return answering.response

    async def _add_job(self, response_id: str, payload: Json, secrets: Secrets) -> None:
        now = current()
        context = RequestContext(
            request_id=now.request_id, user=now.user, provider_data=now.provider_data, faults=now.faults
        )
        self._waiting[response_id] = Waiting(context=context, secrets=secrets)
        await self._jobs.add(payload, user=now.user, job_id=response_id)
        waits = eq("id", response_id) & eq("status", "queued")
        await self._kept.mine().write(Update(RESPONSES, {"held_until": None}, waits))

    async def _check_room(self) -> None:
        """Raises RateLimited while too many wait: what their callers sent for providers is kept in memory."""
        while len(self._waiting) >= self._most_waiting:
            oldest = next(iter(self._waiting))
            if await self._store.first(Select(RESPONSES, eq("id", oldest) & eq("status", "queued"), ("id",))):
                raise RateLimited(
                    f"{len(self._waiting)} responses wait in the background, and no more are taken",
                    hint="ask again when some are done, or cancel some",
                )
            self._waiting.pop(oldest, None)  # another process has made it

    async def _take_back(self, response_id: str) -> None:
        """Leave nothing of a response that nobody was told of."""
        with contextlib.suppress(StackError):
            await self.forget(response_id)
        with contextlib.suppress(StackError):
            await self._kept.mine().write(Delete(RESPONSES, eq("id", response_id)))

    async def cancel(self, response_id: str) -> Reply:
        """The response, which is no longer made; one that has ended, or is just being added to its conversation, stays
        as it is. Raises NotFound, RequestError for one that is not made in the background.
        """
        response = await self._kept.read(response_id)
        if not response["background"]:
            raise RequestError(
                f"The response `{response_id}` is not made in the background, so it cannot be cancelled",
                hint="close the connection over which it comes",
                param="response_id",
            )
        if response["status"] not in RUNS:
            return Reply.of(response)
        # What runs puts its output there when it ends; that it is cancelled counts from now on.
        change = {"status": "cancelled", "response": encode(response | {"status": "cancelled"})}
        waits = eq("id", response_id) & eq("status", "queued")
        is_made = eq("id", response_id) & eq("status", "in_progress") & eq("held_until", None)
        changed = await self._store.write(Update(RESPONSES, change, waits), Update(RESPONSES, change, is_made))
        with contextlib.suppress(StackError, TimeoutError):
            if any(changed):
                await self._jobs.cancel(response_id, user=current().user)
            async with asyncio.timeout(_CANCELLED_WITHIN_S):
                await self._jobs.finished(response_id, user=current().user)
            await self._jobs.discard(response_id, user=current().user)
        self.telling.tell(response_id)
        return Reply.of(await self._kept.read(response_id))

    async def followed(self, request: GetResponseRequest) -> EventStream:
        """The events of a response, from the one after `starting_after`. Raises NotFound, RequestError for one that has
        none.
        """
        response = await self._kept.read(request.response_id)
        if not await self.telling.has_events(request.response_id):
            kind = "in the background" if not response["background"] else "with `stream: true`"
            raise RequestError(
                f"The response `{request.response_id}` has no events that were kept, since it was not made {kind}",
                hint="leave out `stream`",
                param="stream",
            )
        after = request.starting_after
        return self.follow(request.response_id, -1 if after is None else after)

    def follow(self, response_id: str, after: int = -1) -> EventStream:
        """The events of a response that has some."""

        async def close() -> None:
            """There is nothing to release."""

        return EventStream(self.telling.follow(response_id, after), close)

    async def forget(self, response_id: str) -> None:
        """Leave nothing of the job of a response that goes: nobody makes it any more. Raises Unavailable."""
        self._waiting.pop(response_id, None)
        await self._jobs.discard(response_id, user=current().user)
