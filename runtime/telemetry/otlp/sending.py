"""A queue, and the thread that sends what is in it: whoever has something to send never waits for a collector.

The thread begins with the first thing that is sent. What cannot be sent is said once, and again when it can be: an
exporter that takes a moment's failure tries again by itself, and gives up within its time limit.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from runtime.telemetry.otlp.settings import Batching
from runtime.telemetry.spans import Span

log = logging.getLogger(__name__)
LAST_S = 1.5
"""How long the last of it may take at the end, when a server has 3 seconds to stop everything: of traces, metrics and
logs together, which end one after another.
"""
_LAST_FAILING_S = 0.3
"""How long each has in any case; where the collector has not answered before, no longer."""
T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)
_here = threading.local()


def is_sending() -> bool:
    """Whether this thread sends: what is logged there is not to be sent too, or it would never end."""
    return getattr(_here, "is_sending", False)


class Outlet(Protocol[T_contra]):
    """Sends, in the thread of its sender."""

    def send(self, items: Sequence[T_contra]) -> str | None:
        """Returns why that failed; None where it did not."""
        ...

    @property
    def trouble(self) -> str | None:
        """Why `send` is trying again at this moment; None where it is not. Read from another thread."""
        ...

    def stop(self) -> None:
        """Wait for nothing any more: `send` is to return. Called from another thread."""
        ...


class Ending:
    """The time that some senders have at the end; it begins with the first that closes. From any thread."""

    def __init__(self) -> None:
        self._asking = threading.Lock()
        self._until: float | None = None

    def left_s(self) -> float:
        now = time.monotonic()
        with self._asking:
            if self._until is None:
                self._until = now + LAST_S
            return max(self._until - now, _LAST_FAILING_S)


class Sender(Generic[T]):
    """what: what is sent, for the log. place: where, for the log. load: makes the outlet, in the thread; what it raises
    is why nothing can be sent. ending: of all senders of a process.
    """

    def __init__(
        self, what: str, place: str, load: Callable[[], Outlet[T]], batching: Batching, ending: Ending
    ) -> None:
        self._what = what
        self._place = place
        self._load = load
        self._batching = batching
        self._ending = ending
        self._outlet: Outlet[T] | None = None
        self._waiting: deque[T] = deque()
        self._awake = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._is_closing = self._is_given_up = self._is_failing = False
        self._lost = self._overflown = 0

    def put(self, items: Iterable[T]) -> None:
        """Send these, soon. From any thread; what is too much for the queue is lost, and counted."""
        waiting, most = self._waiting, self._batching.most_waiting
        for item in items:
            if len(waiting) >= most or self._is_closing:
                self._overflown += 1
            else:
                waiting.append(item)
        if waiting and self._thread is None:
            self._start()
        if len(waiting) >= self._batching.most_at_once:
            self._awake.set()

    def close(self) -> None:
        """Send what waits, within a short time. The second call does nothing."""
        with self._starting:
            self._is_closing, thread = True, self._thread
        if thread is None or not thread.is_alive():
            return
        self._awake.set()
        outlet = self._outlet
        trouble = outlet.trouble if outlet is not None else None
        left_s = self._ending.left_s()
        thread.join(_LAST_FAILING_S if self._is_failing or trouble is not None else left_s)
        if thread.is_alive():
            self._is_given_up = True
            if self._outlet is not None:
                self._outlet.stop()
            if not self._is_failing:
                self._tell_of("the last of what has happened was not sent in time", trouble)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None and not self._is_closing:
                self._thread = threading.Thread(target=self._run, name=f"send {self._what}", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        _here.is_sending = True
        try:
            self._outlet = self._load()
        except Exception as error:
            self._is_failing = True
            self._tell_of("what has happened cannot be sent", error)
            with self._starting:
                self._is_closing = True
            self._waiting.clear()
            return
        while not self._is_closing:
            self._awake.wait(self._batching.every_s)
            self._awake.clear()
            self._send_all()
        self._send_all()
        if not self._is_given_up:
            self._outlet.stop()

    def _send_all(self) -> None:
        assert self._outlet is not None
        waiting = self._waiting
        while waiting and not self._is_given_up:
            batch = [waiting.popleft() for _ in range(min(len(waiting), self._batching.most_at_once))]
            try:
                failure = self._outlet.send(batch)
            except Exception as error:
                failure = f"{type(error).__name__}: {error}"
            self._note(len(batch), failure)

    def _note(self, count: int, failure: str | None) -> None:
        if failure is not None:
            self._lost += count
            if not self._is_failing and not self._is_given_up:
                self._is_failing = True
                self._tell_of("what has happened cannot be sent", failure)
            return
        overflown, self._overflown = self._overflown, 0
        lost, self._lost = self._lost + overflown, 0
        if self._is_failing:
            self._is_failing = False
            log.info("what has happened is sent again", extra=self._about() | {"lost": lost})
        elif lost:
            log.warning("more happens than can be sent: some of it is lost", extra=self._about() | {"lost": lost})

    def _tell_of(self, words: str, error: object) -> None:
        facts = self._about() | ({"error": str(error)} if error is not None else {})
        off = f"OTEL_{self._what.upper()}_EXPORTER=none"
        log.warning(words, extra=facts | {"hint": f"`{off}` turns it off"})

    def _about(self) -> dict[str, object]:
        return {"signal": self._what, "collector": self._place}


class QueuedSpans:
    """Implements `Exporter`: the spans of traces that are sampled, each with its offset."""

    def __init__(self, sender: Sender[tuple[Span, float]]) -> None:
        self._sender = sender

    async def export(self, spans: Sequence[Span], offset_s: float) -> None:
        self._sender.put([(span, offset_s) for span in spans if span.trace.is_sampled])

    async def close(self) -> None:
        await asyncio.to_thread(self._sender.close)


class QueuedLogs(logging.Handler):
    """Takes log records as they are, after the handler that notes in them which request and span they belong to."""

    def __init__(self, senders: Sequence[Sender[logging.LogRecord]]) -> None:
        super().__init__()
        self._senders = senders

    def handle(self, record: logging.LogRecord) -> bool:
        """Without the lock of `Handler.handle`: the queue needs none."""
        if not is_sending():
            for sender in self._senders:
                sender.put((record,))
        return True

    def close(self) -> None:
        """Send what waits, within a short time for all of them together."""
        closing = [threading.Thread(target=sender.close, daemon=True) for sender in self._senders]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join(LAST_S)
        super().close()
