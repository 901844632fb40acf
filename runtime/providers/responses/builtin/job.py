"""The job that makes a response in the background.

    row `in_progress` -> the loop -> row `completed`          begun a second time: its process died -> row `incomplete`
    cancelled, or the server stops -> row `cancelled` or `incomplete`, with what there is

It ends at one moment: its last events are written with its row. One that adds to a conversation is held while it does,
so that from then on it is not cancelled. It is not made anew after its process has died: what it called has been
called, and who follows it has seen its events.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from runtime.apis.responses.protocol import CreateResponseRequest
from runtime.context import RequestContext, current, serving
from runtime.errors import NotFound, StackError
from runtime.ids import position_in
from runtime.providers.responses.builtin.answering import Answering, interrupted
from runtime.providers.responses.builtin.credentials import Secrets, with_credentials
from runtime.providers.responses.builtin.history import own_items
from runtime.providers.responses.builtin.keeping import Kept
from runtime.providers.responses.builtin.preparing import Prepared, Preparing
from runtime.providers.responses.builtin.tables import RESPONSES
from runtime.providers.responses.builtin.telling import Telling, rows_of
from runtime.sse import Frames, Json, decode, encode
from runtime.storage.jobs import RunningJob
from runtime.storage.sql import Condition, Insert, Row, SqlStore, Stale, Update, eq
from runtime.storage.sql.holding import Holding
from runtime.to_the_end import to_the_end

_FIRST_OF_RUN = 2
"""The number of a job's first event: `created` and `queued` have been told before."""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What is on no disk of a request for a response that waits. secrets: what its tools hold for their servers."""

    context: RequestContext
    secrets: Secrets


class ResponseJob:
    """waiting: what this process was asked for, by the response's id."""

    def __init__(
        self,
        waiting: dict[str, Waiting],
        *,
        kept: Kept,
        preparing: Preparing,
        holding: Holding,
        telling: Telling,
    ) -> None:
        self._waiting = waiting
        self._kept = kept
        self._preparing = preparing
        self._holding = holding
        self._telling = telling

    async def make(self, running: RunningJob) -> None:
        """The handler."""
        waited = self._waiting.pop(running.id, None) or Waiting(context=current(), secrets={})
        rows = self._kept.mine()
        with serving(waited.context), contextlib.suppress(NotFound):  # it was deleted
            row = await self._kept.row(running.id, rows)
            shown = decode(row["response"])
            change = {"status": "in_progress", "response": encode(shown | {"status": "in_progress"})}
            begun = await rows.write(Update(RESPONSES, change | {"held_until": None}, _is(running.id, "queued")))
            try:
                if begun == [1]:
                    await self._run(running, row, waited.secrets, rows, shown)
                else:
                    await self._give_up(running.id, rows)
            finally:
                self._telling.tell(running.id)

    async def _run(self, running: RunningJob, row: Row, secrets: Secrets, rows: SqlStore, shown: Json) -> None:
        id, position = running.id, position_in(running.id)
        assert position is not None, "it is an id of ours"
        answering = Answering(shown, position, streams=bool(running.payload.get("stream")), number=_FIRST_OF_RUN)
        prepared = last = None
        try:
            given = CreateResponseRequest.model_validate(with_credentials(running.payload, secrets))
            # As it was kept, with the ids of its items: by these it is known what its files were read as.
            request = given.changed(input=own_items(row))
            prepared = await self._preparing.prepare(request, rows, answering)
            async with contextlib.aclosing(prepared.loop.run(await prepared.loop.begin())) as loop:
                async for frames in loop:
                    if answering.has_ended:
                        last = frames
                    else:
                        await self._telling.keep(id, frames)
        except asyncio.CancelledError:
            await to_the_end(_break_off(id, rows, answering))
            raise
        except StackError as error:  # before the model began to answer
            answering.fail(error)
            last = answering.take()
        await to_the_end(self._end(id, rows, answering, prepared, last))

    async def _end(
        self, id: str, rows: SqlStore, answering: Answering, prepared: Prepared | None, last: Frames | None
    ) -> None:
        """Its end is there for everybody, unless it was cancelled or deleted meanwhile: then nobody hears of that end.
        last: the events that tell of it.
        """
        place: Json = {} if prepared is None else {"place": prepared.history.place}
        try:
            if prepared is not None and prepared.history.conversation is not None:
                held = {"held_until": self._holding.until()}
                await rows.write(Update(RESPONSES, held, _is(id, "in_progress"), expect=1))
                await prepared.join()
                last = answering.take() or last
            response = answering.response
            change = {"status": response["status"], "response": encode(response), "held_until": None, **place}
            ends = Update(RESPONSES, change, _is(id, "in_progress"), expect=1)
            await rows.write(ends, *_readings(id, prepared), *rows_of(id, last))
        except Stale:
            await _break_off(id, rows, answering)

    async def _give_up(self, response_id: str, rows: SqlStore) -> None:
        """Its process has died after it had been begun."""
        response = interrupted(decode((await self._kept.row(response_id, rows))["response"]))
        change = {"status": response["status"], "response": encode(response), "held_until": None}
        await rows.write(Update(RESPONSES, change, _is(response_id, "in_progress")))


async def _break_off(id: str, rows: SqlStore, answering: Answering) -> None:
    """Keep what there is of one that is cancelled; of any other, that the server stops, or somebody else has it."""
    answering.cancel()
    cancelled = {"response": encode(answering.response)}
    response = interrupted(answering.response)
    incomplete = {"status": response["status"], "response": encode(response)}
    await rows.write(
        Update(RESPONSES, cancelled, _is(id, "cancelled")), Update(RESPONSES, incomplete, _is(id, "in_progress"))
    )


def _readings(id: str, prepared: Prepared | None) -> list[Insert]:
    return [] if prepared is None else prepared.history.readings.statements(id, prepared.history.conversation)


def _is(response_id: str, status: str) -> Condition:
    return eq("id", response_id) & eq("status", status)
