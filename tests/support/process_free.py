"""Holds tests to starting no process, calling no other machine and loading no model code: for a layer's conftest.py.

An audit hook sees most of these from whatever library they come; what it does not see is taken away. It stays for the
life of the process, as audit hooks do, and is at work only while a test of this layer with its fixtures runs, or a
module of it is imported.
"""

from __future__ import annotations

import _posixsubprocess
import ipaddress
import platform
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

MODEL_CODE = ("torch", "transformers", "llvmlite", "safetensors", "tokenizers")
UNSEEN = ("uvloop",)
"""What starts processes and opens connections where no audit hook sees it."""
PROCESSES = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.exec", "os.system")
ADDRESSES = ("socket.connect", "socket.sendto", "socket.sendmsg")
platform.platform()  # starts `uname` once and is remembered: OpenAI's SDK asks for it with its first call
_done: list[str] | None = None
"""What was done that is not allowed; None while everything is allowed."""


@contextmanager
def watched() -> Iterator[list[str]]:
    """While this is open, what is not allowed fails where it is done, and is noted in the list."""
    global _done
    with pytest.MonkeyPatch.context() as patched:
        for name in (*MODEL_CODE, *UNSEEN):
            # Another layer's tests may have loaded it into this worker.
            patched.setitem(sys.modules, name, None)
        # What multiprocessing starts its processes with. `subprocess` has its own reference, and says what it does.
        patched.setattr(_posixsubprocess, "fork_exec", lambda program, *_: _refuse(f"fork_exec of {program!r}"))
        _done = done = []
        try:
            yield done
        finally:
            _done = None


@contextmanager
def _held() -> Iterator[None]:
    with watched() as done:
        yield
    # Once more, where the code under test has swallowed the failure.
    assert not done, f"a test of this layer has done what it may not do: {done}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    with _held():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    with _held():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Generator[None, object, object]:
    if nextitem is None:  # with the last test of a worker ends what another layer's tests have shared
        return (yield)
    with _held():
        return (yield)


def holds() -> bool:
    """Whether what is not allowed fails now: not at the end of a worker's last test. For tests of this guard."""
    return _done is not None


def forgiven() -> str:
    """The last thing that was done and is not allowed; it no longer fails the test. For tests of this guard."""
    assert _done is not None
    return _done.pop()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Test modules are imported here."""
    with watched():
        return (yield)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _done is None:
        return
    if event in PROCESSES:
        _refuse(f"{event} of {arguments[0]!r}")
    elif event in ADDRESSES and not _is_here(arguments[1]):
        _refuse(f"{event} to {arguments[1]}")
    elif event == "socket.getaddrinfo" and not _is_here(arguments) and any(map(str.isalpha, str(arguments[0]))):
        _refuse(f"look-up of {arguments[0]}")  # a number, however misspelt, is no name
    elif event == "import" and arguments[0].partition(".")[0] in (*MODEL_CODE, *UNSEEN):
        _refuse(f"import of {arguments[0]}")


def _refuse(what: str) -> None:
    assert _done is not None
    _done.append(what)
    pytest.fail(f"a test of this layer may not do this: {what}")


def _is_here(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True  # a path
    host = address[0]
    if host in (None, "", "localhost"):
        return True
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return False
    return found.is_loopback or found.is_unspecified


sys.addaudithook(_audit)
