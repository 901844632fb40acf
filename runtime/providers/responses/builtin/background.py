"""Responses in the background: answered at once, made by a job, followed and cancelled by whoever knows the id.

    create -> job, row `queued` -> answer          job: row `in_progress` -> the loop -> row `completed`
    cancel -> row `cancelled`, the job is told     a job begun a second time: its process died -> row `incomplete`

A response is not made anew after its process has died: what it called has been called, and who follows it has seen its
events.
"""

from __future__ import annotations

import asyncio
import contextlib

from runtime.apis.responses import CreateResponseRequest, GetResponseRequest
from runtime.context import RequestContext, current, serving
from runtime.errors import RequestError, StackError
from runtime.ids import position_in
from runtime.provider import ProviderContext
from runtime.providers.responses.builtin.answering import RUNS, Answering, interrupted
from runtime.providers.responses.builtin.history import own_items
from runtime.providers.responses.builtin.keeping import Kept, insertion
from runtime.providers.responses.builtin.preparing import Preparing
from runtime.providers.responses.builtin.shown import new_response
from runtime.providers.responses.builtin.tables import RESPONSES
from runtime.providers.responses.builtin.telling import Telling
from runtime.sse import EventStream, Json, Reply, decode, encode
from runtime.storage.jobs import RunningJob
from runtime.storage.sql import Condition, Insert, SqlStore, Update, eq, one_of

_FIRST_OF_RUN = 2
"""The number of a job's first event: `created` and `queued` have been told before."""
_CANCELLED_WITHIN_S = 5.0


class Background:
    """store: of all users. most: how many responses this process makes at once."""

    def __init__(
        self, context: ProviderContext, store: SqlStore, *, kept: Kept, preparing: Preparing, most: int
    ) -> None:
        self._store = store
        self._kept = kept
        self._preparing = preparing
        self.telling = Telling(store)
        self._jobs = context.jobs.handle(f"response:{context.provider_id}", self._make, concurrency=most, attempts=2)
        # Keys that callers send are on no disk: a response that waits for another process is made without them.
        self._contexts: dict[str, RequestContext] = {}

    async def create(self, request: CreateResponseRequest, position: int) -> Json:
        """The response, `queued` and on disk. Raises what `Preparing.prepare` does, Unavailable."""
        now = current()
        answering = Answering(new_response(request, position), position, streams=bool(request.stream))
        prepared = await self._preparing.prepare(request, self._kept.mine(), answering)
        answering.queue()
        response_id: str = answering.response["id"]
        await self._kept.mine().write(*insertion(prepared.answering, prepared.history))
        if frames := answering.take():
            await self.telling.keep(response_id, frames)
        self._contexts[response_id] = RequestContext(
            request_id=now.request_id, user=now.user, provider_data=now.provider_data
        )
        await self._jobs.add(request.wire(), user=now.user, job_id=response_id)
        return answering.response

    async def cancel(self, response_id: str) -> Reply:
        """The response, which is no longer made; one that has ended stays as it is. Raises NotFound, RequestError for
        one that is not made in the background.
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
        await self._store.write(Update(RESPONSES, change, _runs(response_id)))
        with contextlib.suppress(StackError, TimeoutError):
            await self._stop(response_id)
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
        """Leave nothing of the job of a response that was deleted."""
        self._contexts.pop(response_id, None)
        with contextlib.suppress(StackError, TimeoutError):
            await self._stop(response_id)
            await self._jobs.delete(response_id, user=current().user)

    async def _stop(self, response_id: str) -> None:
        """End its job, here or in another process. Raises NotFound, TimeoutError if that takes long, Unavailable."""
        await self._jobs.cancel(response_id, user=current().user)
        async with asyncio.timeout(_CANCELLED_WITHIN_S):
            await self._jobs.finished(response_id, user=current().user)

    async def _make(self, running: RunningJob) -> None:
        """The job."""
        context = self._contexts.pop(running.id, None) or RequestContext(user=running.user)
        rows = self._store.for_user(running.user)
        with serving(context):
            begun = await rows.write(Update(RESPONSES, {"status": "in_progress"}, _is(running.id, "queued")))
            try:
                if begun == [1]:
                    await self._run(running, rows)
                else:
                    await self._give_up(running.id, rows)
            finally:
                self.telling.tell(running.id)

    async def _run(self, running: RunningJob, rows: SqlStore) -> None:
        request = CreateResponseRequest.model_validate(running.payload)
        position = position_in(running.id)
        assert position is not None, "it is an id of ours"
        row = await self._kept.row(running.id, rows)
        # As it was kept, with the ids of its items: by these it is known what its files were read as.
        request = request.changed(input=own_items(row))
        shown = decode(row["response"])
        answering = Answering(shown, position, streams=bool(request.stream), number=_FIRST_OF_RUN)
        place: Json = {}
        read: list[Insert] = []
        try:
            prepared = await self._preparing.prepare(request, rows, answering)
            place = {"place": prepared.history.place}
            read = prepared.history.readings.statements(running.id, prepared.history.conversation)
            last = None
            async for frames in prepared.loop.run(await prepared.loop.begin()):
                if answering.has_ended:
                    last = frames
                else:
                    await self.telling.keep(running.id, frames)
            await prepared.join()
            if last := answering.take() or last:
                await self.telling.keep(running.id, last)
        except asyncio.CancelledError:  # by the user, or since the server stops: then the row is not `cancelled`
            answering.cancel()
            change = {"response": encode(answering.response)}
            await asyncio.shield(rows.write(Update(RESPONSES, change, _is(running.id, "cancelled"))))
            raise
        except StackError as error:  # before the model began to answer
            answering.fail(error)
            if frames_left := answering.take():
                await self.telling.keep(running.id, frames_left)
        change = {"status": shown["status"], "response": encode(shown), **place}
        await rows.write(Update(RESPONSES, change, _is(running.id, "in_progress")), *read)

    async def _give_up(self, response_id: str, rows: SqlStore) -> None:
        """Its process has died, or the server was stopped, after it had been begun."""
        response = interrupted(decode((await self._kept.row(response_id, rows))["response"]))
        change = {"status": response["status"], "response": encode(response)}
        await rows.write(Update(RESPONSES, change, _is(response_id, "in_progress")))


def _is(response_id: str, status: str) -> Condition:
    return eq("id", response_id) & eq("status", status)


def _runs(response_id: str) -> Condition:
    return eq("id", response_id) & one_of("status", RUNS)
