"""What a server does less of than its runtime would by itself: looking for garbage, and giving memory back."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator

_OBJECTS_BETWEEN_COLLECTIONS = 10_000
_OBJECTS_OF_A_START = 100_000
_GENERATIONS = 10, 10  # Python's own
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of <malloc.h>
_KEPT_BYTES = 8 * 1024**2
_LARGE_BYTES = 4 * 1024**2


def start_without_collecting() -> None:
    """Hardly ever look for reference cycles until `collect_less_garbage`: nearly all that a start makes, modules and
    models, lives to the end, and looking through it again and again takes a tenth of the start's CPU.
    """
    gc.set_threshold(_OBJECTS_OF_A_START, 20, 20)


class _Starts:
    """How many starts are under way in a program, and what held before the first of them."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._under_way = 0
        self._before = gc.get_threshold()

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        with self._changing:
            if self._under_way == 0 and gc.get_threshold()[0]:  # 0: the program does not collect at all
                self._before = gc.get_threshold()
                start_without_collecting()
            self._under_way += 1
        try:
            yield
        finally:
            with self._changing:
                self._under_way -= 1
                if self._under_way == 0 and gc.get_threshold()[0] == _OBJECTS_OF_A_START:
                    gc.set_threshold(*self._before)


a_start_in_a_program = _Starts()
"""`with a_start_in_a_program():` does as `start_without_collecting` while a stack is opened in somebody's program, and
leaves everything as it was.
"""


def collect_less_garbage() -> None:
    """Look for reference cycles rarely, and never among what was made at the start: modules and models of requests.

    Requests leave no cycles behind, and with Python's defaults the search takes a quarter of a chat's CPU.
    """
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *_GENERATIONS)


def keep_freed_memory() -> None:
    """Let glibc keep a few freed megabytes for what comes next: mallopt(3).

    It gives back all beyond 128 KiB at once, and the system then gives it again page by page, each cleared: at each
    part of a large body that is received, which costs three times as much as everything else that is done with it.
    Larger pieces than a part of a body still come and go by themselves. Other C libraries do without.
    """
    import ctypes  # not above: a program with the stack as a library does without

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
