"""Runs the code that a package has for its import, and says in words why one gives nothing.

An import without end is told of, and ended; one that ends the process fails alone. Both only in a process of ours, such
as a server's: elsewhere signals, and how the process ends, are the program's own.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from runtime import own_process
from runtime.external import llama_stack
from runtime.redaction import redact_text
from runtime.stdio import one_line

SLOW_S = 10.0
"""An import that takes longer is told of."""
LIMIT_S = 120.0
"""An import that takes longer is ended; some bring torch with them."""
_AGAIN_S = 5.0
"""What has caught the end of its import is ended again."""
_MAX_LENGTH = 300
log = logging.getLogger(__name__)


class Broken(Exception):
    """A package that gives no specs; its message says why, and follows the package's name. What of it is the package's
    own text may have control characters, which are escaped.
    """

    def __init__(self, why: str) -> None:
        super().__init__(one_line(why))


class EndlessImport(BaseException):
    """Raised in the middle of an import. No Exception: those are often caught while something is imported."""


@contextmanager
def importing(package: str) -> Iterator[None]:
    """Around what runs a package's own code. EndlessImport is raised in the middle of that after `LIMIT_S`, and
    SystemExit where it would end the process. Raises Broken for an EndlessImport that was not handled there.
    """
    words = f"the external package `{redact_text(package)}` is still being imported after {SLOW_S:g} s"
    slow = threading.Timer(SLOW_S, log.warning, [words])
    slow.daemon = True
    slow.start()
    try:
        if own_process.is_ours():
            with _never_ending_us(), _ended_after(LIMIT_S):
                yield
        else:
            yield
    except EndlessImport as error:
        raise as_broken(error) from error
    finally:
        slow.cancel()


def as_broken(error: BaseException) -> Broken:
    """An exception of a package's own code, of whatever kind, which is logged with where it came from. Raises Ctrl-C
    again.
    """
    if isinstance(error, KeyboardInterrupt):
        raise error
    log.warning("an external package cannot be imported", exc_info=error)
    return Broken(reason_of(error))


def reason_of(error: BaseException) -> str:
    """The same in words, as what follows a package's name: one line, without secrets and control characters."""
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in llama_stack.PACKAGES:
        return (
            f"is written for llama-stack and cannot be imported without `{error.name}`: name the version of llama-stack"
            " that it needs in `additional_pip_packages`"
        )
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"cannot be imported: there is no module `{one_line(error.name)}`"
    if isinstance(error, EndlessImport):
        return f"cannot be imported: {error}"
    words = one_line(redact_text(" ".join(f"{type(error).__name__}: {error}".split())))
    return f"cannot be imported: {words[:_MAX_LENGTH]}"


@contextmanager
def _ended_after(limit_s: float) -> Iterator[None]:
    """Raise EndlessImport in the middle of what runs, also where it waits. Only the main thread is given signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> NoReturn:
        raise EndlessImport(f"it has not ended after {limit_s:g} s")

    handler_before = signal.signal(signal.SIGALRM, end)
    left_s, again_s = signal.setitimer(signal.ITIMER_REAL, limit_s, _AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left_s, again_s)
        signal.signal(signal.SIGALRM, handler_before)


@contextmanager
def _never_ending_us() -> Iterator[None]:
    """Raise SystemExit where the code that runs here calls `os._exit`: no other exception ends a process unasked."""
    process, thread, end = os.getpid(), threading.get_ident(), os._exit

    def refuse(status: int) -> NoReturn:
        if (os.getpid(), threading.get_ident()) != (process, thread):  # a process that was forked ends so, and may
            end(status)
        raise SystemExit(f"it ends the process by `os._exit({status})`")

    os._exit = refuse
    try:
        yield
    finally:
        os._exit = end
