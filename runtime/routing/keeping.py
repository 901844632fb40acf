"""Keeps chat completions: writes request and answer before the end of the answer leaves, and never delays a token.

    the last token has left -> the row waits for the commit of a whole group (storage) -> the answer's end leaves

What cannot be kept is still answered: its `x-llama-warnings` say so, or a comment at the end of a stream, whose headers
have left before; and the log says why.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial

from runtime.access import Caller
from runtime.apis.inference.merging import MergedChat
from runtime.apis.inference.protocol import ChatCompletionRequest
from runtime.context import current, warn
from runtime.errors import StackError
from runtime.ids import new_position, ordered_id
from runtime.routing.own_members import OwnMember, with_members
from runtime.routing.stored_completions import COMPLETIONS, SCHEMA, STORE
from runtime.sse import End, EventStream, Frames, Reply, encode
from runtime.storage.sql import Insert
from runtime.storage.stores import Storage
from runtime.telemetry.conventions import RESPONSE_ID
from runtime.telemetry.spans import current_span

log = logging.getLogger(__name__)
MOST_WAITING_BYTES = 64 * 1024 * 1024
"""Requests and answers that may wait for a commit together; a single one may have more."""
_MOST_WAITING_ROWS = 10_000
_OFF = f"`store` has no effect: this server's run config has `storage.stores.{STORE}.enabled: false`"
_BUSY = "the answer was not kept: too many others wait to be written"


class Keeper:
    """Keeps the answers that are to be kept: all that came over HTTP, unless they or the run config say otherwise."""

    def __init__(self, storage: Storage) -> None:
        self._store = storage.sql(STORE, SCHEMA)
        settings = storage.settings(STORE)
        self._is_on = settings.enabled is not False
        self._most_rows = settings.max_write_queue_size or _MOST_WAITING_ROWS
        self._rows = self._bytes = 0

    def keeps(self, request: ChatCompletionRequest) -> bool:
        """Whether its answer is to be kept. A call made in process is one part of something larger, which is kept by
        whoever makes it, so such a call has to say `store: true`.
        """
        if request.store and not self._is_on:
            warn(_OFF)
        return self._is_on and (request.raw is not None if request.store is None else request.store)

    async def keep(self, request: ChatCompletionRequest, answer: Reply | EventStream) -> Reply | EventStream:
        """The answer with an id of ours, under which it is kept when it ends. Vendors' ids are not unique: Ollama's
        have three digits, and TGI's are empty.
        """
        model = OwnMember("model", request.model)
        if isinstance(answer, EventStream) and self._is_full(0):
            warn(_BUSY)
            return with_members(answer, model)
        position = new_position()
        id = ordered_id("chatcmpl-", position)
        if (span := current_span()) is not None:  # whoever has the answer finds by its id what led to it
            span.attributes[RESPONSE_ID] = id
        answered = with_members(answer, model, OwnMember("id", id, is_needed=True))
        write = partial(self._write, request, position, id, current().user, current().request_id)
        if isinstance(answered, EventStream):
            return answered.through(_Kept(write, choices=request.n or 1))
        if failure := await write(answered.data):
            warn(failure)
        return answered

    def _is_full(self, size: int) -> bool:
        return self._rows >= self._most_rows or (self._rows > 0 and self._bytes + size > MOST_WAITING_BYTES)

    async def _write(
        self,
        request: ChatCompletionRequest,
        position: int,
        id: str,
        user: Caller,
        request_id: str,
        answer: bytes,
    ) -> str | None:
        """Returns when the row is on disk, or why it is not."""
        asked = encode(request.wire()) if request.raw is None else request.raw
        size = len(asked) + len(answer)
        if self._is_full(size):
            return _BUSY
        row = {
            "id": id,
            "position": position,
            "created": position // 1_000_000,
            "model": request.model,
            "request_id": request_id,
            "metadata": request.metadata or None,
            "request": asked,
            "answer": answer,
        }
        self._rows += 1
        self._bytes += size
        try:
            await self._store.for_user(user).write(Insert(COMPLETIONS, row))
        except StackError as error:
            log.error("chat completion not kept", extra={"completion_id": id, "reason": error.message})
            return f"the answer was not kept: {error.message}"
        except Exception as error:  # the answer is there, and whoever waits for it is to have it
            log.exception("chat completion not kept", extra={"completion_id": id})
            return f"the answer was not kept: {type(error).__name__}"
        finally:
            self._rows -= 1
            self._bytes -= size
        return None


class _Kept:
    """The stage of a stream that is to be kept. It is, when all of it has come, also if its reader left before seeing
    the end; an answer that failed, or was left in the middle, is not.

    write: of the answer's bytes; returns why that could not be done. choices: how many answers were asked for.
    """

    __slots__ = ("_choices", "_error", "_merged", "_write")

    def __init__(self, write: Callable[[bytes], Awaitable[str | None]], *, choices: int) -> None:
        self._write = write
        self._choices = choices
        self._merged = MergedChat(choices=choices)
        self._error: Exception | None = None

    async def read(self, frames: Frames) -> Frames:
        if self._error is None:
            try:
                self._merged.add(frames.data)
            except (ValueError, TypeError, AttributeError, RecursionError) as error:
                self._error = error
                self._merged = MergedChat(choices=self._choices)
        return frames

    async def ended(self, how: End, error: BaseException | None) -> Frames | None:
        if how == "failed" or (how == "left" and self._merged.finished < self._choices):
            return None
        failure = await self._write_merged()
        return Frames(b": %b\n\n" % " ".join(failure.split()).encode()) if failure else None

    async def _write_merged(self) -> str | None:
        try:
            if self._error is not None:
                raise self._error
            answer = encode(self._merged.answer())
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            log.error("chat completion not kept", extra={"reason": f"its chunks make no answer: {error}"})
            return "the answer was not kept: its chunks make none, as the server's log says"
        return await self._write(answer)
