"""The engine as the event loop sees it: start, generate, stop. Knows token ids and asyncio; no tensors, no text.

    generate() --Add--> queue --> worker's thread: schedule -> run -> append
        ^                                              |
        +--- one asyncio queue per sequence <-- one call per step

All methods are for the event loop that called `start`. The thread itself is `worker.py`.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Self

from runtime import errors, own_process
from runtime.engine.checkpoints.model_config import ModelConfig
from runtime.engine.memory.plan import MemoryPlan
from runtime.engine.requests import messages
from runtime.engine.requests.checks import check_ids, check_length
from runtime.engine.requests.metrics import Metrics
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.requests.waiting_room import WaitingRoom
from runtime.engine.running.options import PROMPT_TOKENS_EACH, EngineOptions

if TYPE_CHECKING:
    from runtime.engine.running.loading import Planned


class TokenStream:
    """An async iterator of one sequence's tokens. It holds a place in the engine from the start: read it to its end, or
    close it.
    """

    def __init__(self, tokens: AsyncGenerator[messages.TokenOutput, None], leave: Callable[[], None]) -> None:
        self._tokens = tokens
        self._leave = leave

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Awaitable[messages.TokenOutput]:
        return self._tokens.__anext__()

    async def aclose(self) -> None:
        # The generator's own `finally` does not run if it was never started.
        self._leave()
        await self._tokens.aclose()


class _Reader:
    """What one sequence has for whoever reads it. at_s: of its last token, or of the call, of `time.monotonic`."""

    def __init__(self, at_s: float) -> None:
        self.at_s = at_s
        self.items: asyncio.Queue[messages.TokenOutput | errors.StackError] = asyncio.Queue()


class Engine:
    """One model on one device, serving many sequences at once. plan: makes its plan, in the engine's thread; None for
    one that leaves nothing to others.
    """

    def __init__(self, options: EngineOptions, plan: Callable[[EngineOptions], Planned] | None = None) -> None:
        self.options = options
        self._plan = plan
        self._commands: SimpleQueue[messages.Command] = SimpleQueue()
        self._stopping = Event()
        self._thread: Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready: asyncio.Future[messages.Ready] | None = None
        self._closed: asyncio.Future[None] | None = None
        self._failure: errors.StackError | None = None
        self._streams: dict[int, _Reader] = {}
        self._ids = itertools.count(1)
        self._model: messages.Ready | None = None
        self._stats = messages.EngineStats()
        self._metrics = Metrics()
        self._room: WaitingRoom | None = None

    async def start(self) -> None:
        """Load the model in the engine's own thread.

        Raises CheckpointInvalid (as `open_checkpoint`), Unavailable and RequestError (as `plan_memory`), and
        RuntimeError on a second call.
        """
        if self._thread is not None:
            raise RuntimeError("an engine starts once")
        self._loop = asyncio.get_running_loop()
        self._ready = self._loop.create_future()
        self._closed = self._loop.create_future()
        self._thread = Thread(target=self._run, name=f"engine {self.options.model_name}", daemon=True)
        self._thread.start()
        try:
            self._model = await self._ready
            self._room = self._room_for(self._model.plan)
        except BaseException:
            # Also when the caller was cancelled: no thread outlives a start that failed.
            await self.stop()
            raise

    async def stop(self) -> None:
        """End the thread, and every sequence with Unavailable. Does nothing before `start` or after `stop`."""
        if self._thread is None or self._closed is None:
            return
        self._stopping.set()
        self._commands.put(messages.Stop())
        await asyncio.shield(self._closed)
        # The thread has sent `Closed`; it ends within microseconds.
        self._thread.join()

    @property
    def config(self) -> ModelConfig:
        """The model's shape. Raises Unavailable before `start` has succeeded."""
        return self._started().config

    @property
    def plan(self) -> MemoryPlan:
        """Device, dtype, pages and the longest sequence. Raises Unavailable before `start` has succeeded."""
        return self._started().plan

    @property
    def is_running(self) -> bool:
        """Whether it has started, and its thread has not ended since."""
        return self._model is not None and self._failure is None

    def stats(self) -> messages.EngineStats:
        """Counts as of the last step."""
        return self._stats

    def figures(self) -> dict[str, float]:
        """Queue, KV use, prefix hits, latencies and rates by name; see `metrics.Metrics`."""
        return self._metrics.figures(self._stats)

    def check_size(self, prompt_lengths: Sequence[int], each: int = 1) -> None:
        """Check a request of several prompts before any is started.

        prompt_lengths: in tokens. each: how many completions every prompt gets. Raises RequestError for a prompt that
        leaves no room in the context, TooLarge for more than fits even into an idle engine.
        """
        for length in prompt_lengths:
            check_length(length, self.plan.context_tokens)
        assert self._room is not None
        self._room.check_size(len(prompt_lengths) * each, sum(prompt_lengths) * each)

    def generate(
        self, prompt: Sequence[int], params: SamplingParams, *, priority: int = 0, cache_salt: str = ""
    ) -> TokenStream:
        """The completion of a prompt, token by token; the last one has a finish reason.

        priority: lower numbers are computed first, and may take the places of higher ones; from `IDLE_PRIORITY` on only
        while there are no others. cache_salt: sequences with different ones share no computed prefixes, so that nobody
        can tell by its speed what others have asked.
        The sequence takes its place in the waiting room at once; work begins with the first item. Closing or cancelling
        the iterator gives the place back and ends the sequence at the next step.
        Raises at once: RequestError for an empty prompt, ids outside the vocabulary, or a prompt that leaves no room in
        the context (code `context_length_exceeded`); RateLimited where too many wait; Unavailable where the engine is
        not running. While iterating: Unavailable when the engine stops, StackError when a step fails.
        """
        check_length(len(prompt), self.plan.context_tokens)
        check_ids(prompt, params, self.config.vocab_size)
        assert self._room is not None
        self._room.enter(1, len(prompt))
        add = messages.Add(
            sequence_id=next(self._ids),
            prompt=tuple(prompt),
            params=params if params.seed is not None else replace(params, seed=secrets.randbits(63)),
            priority=priority,
            cache_salt=cache_salt,
            at_s=time.monotonic(),
        )
        self._streams[add.sequence_id] = _Reader(add.at_s)
        return TokenStream(self._tokens(add), lambda: self._leave(add))

    def _leave(self, add: messages.Add) -> None:
        """Give a sequence's place back, once."""
        if self._streams.pop(add.sequence_id, None) is not None and self._room is not None:
            self._room.leave(1, len(add.prompt))

    async def _tokens(self, add: messages.Add) -> AsyncGenerator[messages.TokenOutput, None]:
        is_over = True
        try:
            self._started()  # it may have stopped since the call
            items = self._streams[add.sequence_id].items
            self._commands.put(add)
            is_over = False
            while not is_over:
                output = await items.get()
                is_over = isinstance(output, errors.StackError) or output.finish_reason is not None
                if isinstance(output, errors.StackError):
                    # Many streams raise the same error object, and each raise would lengthen its traceback.
                    raise output.with_traceback(None)
                yield output
        finally:
            self._leave(add)
            if not is_over:
                self._commands.put(messages.Abort(sequence_id=add.sequence_id))

    def _room_for(self, plan: MemoryPlan) -> WaitingRoom:
        """Room for what runs on the device, and for `max_waiting` sequences that wait."""
        options = self.options
        return WaitingRoom(
            options.model_name,
            places=options.max_batch_size + options.max_waiting,
            size=plan.pages * plan.page_size + options.max_waiting * PROMPT_TOKENS_EACH,
            unit="sequences",
            size_unit="prompt tokens",
        )

    def _started(self) -> messages.Ready:
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        if self._model is None:
            raise errors.Unavailable(
                f"The model `{self.options.model_name}` is not loaded.", hint="start the engine first"
            )
        return self._model

    def _run(self) -> None:
        """The thread. torch is imported here, since that takes seconds and would block the event loop."""
        # torch's OpenMP library reads this when it is loaded. By default a waiting thread spins so long that on a busy
        # machine two threads fell to 0.3 tokens a second; a short spin kept 17.
        if own_process.is_ours():
            os.environ.setdefault("GOMP_SPINCOUNT", "2000")
        try:
            from runtime.engine import worker
        except ImportError as error:
            failure = errors.Unavailable(
                f"The engine cannot be imported: {error}", hint="install `torch` and `safetensors`"
            )
            failure.__cause__ = error
            self._report(messages.Closed(error=failure))
            return
        worker.run(self.options, self._commands, self._stopping, self._report, self._plan)

    def _report(self, report: messages.Report) -> None:
        """Called on the engine's thread."""
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._receive, report)
        except RuntimeError:
            # The loop was closed while the engine ran: nobody reads its reports any more.
            self._stopping.set()
            self._commands.put(messages.Stop())

    def _receive(self, report: messages.Report) -> None:
        """Called on the event loop, once a step."""
        if isinstance(report, messages.StepBatch):
            self._stats = report.stats
            now = time.monotonic()
            self._metrics.loop_lag.add(max(0.0, now - report.stats.at_s))
            self._metrics.generated.add(sum(map(len, report.outputs.values())))
            for sequence_id, outputs in report.outputs.items():
                # Output of a stream that was just closed may still arrive.
                if (reader := self._streams.get(sequence_id)) is None:
                    continue
                for output in outputs:
                    (self._metrics.between_tokens if output.index else self._metrics.first_token).add(now - reader.at_s)
                    reader.at_s = now
                    reader.items.put_nowait(output)
            for sequence_id, failure in report.failures.items():
                if (reader := self._streams.get(sequence_id)) is not None:
                    reader.items.put_nowait(failure)
            return
        assert self._ready is not None and self._closed is not None
        if isinstance(report, messages.Ready):
            self._stats = report.stats
            if not self._ready.done():
                self._ready.set_result(report)
            return
        # What was counted stays; nothing runs, and nothing is kept, any more.
        self._stats = replace(self._stats, running=0, waiting=0, pages_used=0, pages_kept=0)
        self._failure = report.error
        if not self._ready.done():
            self._ready.set_exception(report.error)
        for reader in self._streams.values():
            reader.items.put_nowait(report.error)
        self._closed.set_result(None)
