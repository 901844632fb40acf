"""A lock for threads: many that read, or one that changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class SharedLock:
    """Who wants it alone waits for those that share it now, and new ones wait for him."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._sharing = 0
        self._is_wanted_alone = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        with self._changed:
            while self._is_wanted_alone:
                self._changed.wait()
            self._sharing += 1
        try:
            yield
        finally:
            with self._changed:
                self._sharing -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._changed:
            while self._is_wanted_alone:
                self._changed.wait()
            self._is_wanted_alone = True
            while self._sharing:
                self._changed.wait()
        try:
            yield
        finally:
            with self._changed:
                self._is_wanted_alone = False
                self._changed.notify_all()
