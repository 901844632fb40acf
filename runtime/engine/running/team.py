"""Threads that compute one function together: each calls it with its number. Knows neither tensors nor models."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

Work = Callable[[int, int], None]


class Team:
    """threads: how many, the caller's own included. The others wait without using the CPU.

    Raises RuntimeError where the system does not give as many.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._given: list[SimpleQueue[tuple[Work, int] | None]] = [SimpleQueue() for _ in range(threads - 1)]
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        self._members = [
            Thread(target=self._serve, args=(number, given), name=f"kernel {number}", daemon=True)
            for number, given in enumerate(self._given, 1)
        ]
        try:
            for member in self._members:
                member.start()
        except RuntimeError:  # the system gives no more threads
            self.close()
            raise

    def run(self, work: Work, most: int) -> None:
        """Return once each of up to `most` threads has done work(number, threads). Raises what one of them raised."""
        threads = min(most, self.threads)
        woken = self._given[: threads - 1]
        for given in woken:
            given.put((work, threads))
        try:
            work(0, threads)
        finally:
            failures = [self._done.get() for _ in woken]
        for failure in failures:
            if failure is not None:
                raise failure

    def close(self) -> None:
        """End the threads."""
        for given in self._given:
            given.put(None)
        for member in self._members:
            if member.ident is not None:  # it was started
                member.join()

    def _serve(self, number: int, given: SimpleQueue[tuple[Work, int] | None]) -> None:
        while (task := given.get()) is not None:
            work, threads = task
            try:
                work(number, threads)
                self._done.put(None)
            except BaseException as failure:
                self._done.put(failure)
