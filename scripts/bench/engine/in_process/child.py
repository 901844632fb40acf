"""A child process that works when asked: one JSON object a line each way, over its stdin and stdout.

The work is measured in the child, where a CPU clock is exact to the nanosecond; so the parent's own cost is in no
figure, and what one engine leaves behind in a process (threads, settings, memory) is not met by the next.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from scripts.bench import environments

_LIMIT_S = 600.0
"""Of one piece of work, loading included: transformers takes half a minute for a small GGUF file on a quiet machine."""

Work = Callable[..., Mapping[str, Any]]


class ChildFailed(Exception):
    """A child ended, or took too long. died: it was killed by a signal, as by an instruction that the CPU lacks."""

    def __init__(self, message: str, *, died: bool) -> None:
        super().__init__(message)
        self.died = died


@dataclass
class Child:
    """A running child. born: `time.perf_counter()` at its start."""

    process: subprocess.Popen[bytes]
    log: Path
    born: float
    _unread: bytearray = field(default_factory=bytearray)

    @property
    def pid(self) -> int:
        return self.process.pid

    def ask(self, work: str, **arguments: Any) -> dict[str, Any]:
        """Have work done. Raises ChildFailed with the log's end where there is no answer within 10 minutes."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"work": work, **arguments}).encode() + b"\n")
            self.process.stdin.flush()
            answer: dict[str, Any] = json.loads(self._line(time.monotonic() + _LIMIT_S))
        except (OSError, EOFError, TimeoutError) as error:
            if not isinstance(error, TimeoutError):
                self.process.wait(10)
            end = self.log.read_text(errors="replace")[-3000:]
            raise ChildFailed(
                f"{self.process.args!r} did not answer `{work}`, it {self._state()}:\n{end}",
                died=(self.process.poll() or 0) < 0,
            ) from error
        return answer

    def _line(self, deadline: float) -> bytes:
        assert self.process.stdout is not None
        while (end := self._unread.find(b"\n")) < 0:
            if not select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError
            read = os.read(self.process.stdout.fileno(), 65536)
            if not read:
                raise EOFError
            self._unread += read
        line = bytes(self._unread[:end])
        del self._unread[: end + 1]
        return line

    def _state(self) -> str:
        code = self.process.poll()
        return "still runs" if code is None else f"ended with {code}"


@contextmanager
def child(name: str, folder: Path, *arguments: str) -> Iterator[Child]:
    """A child of this interpreter that runs the module `name` of this package, ended with the block.

    folder: for its log, which is all that it prints.
    """
    log = folder / f"{name}-{time.monotonic_ns()}.log"
    command = [sys.executable, "-m", f"{__package__}.{name}", *arguments]
    # Without the variable that keeps modules from being compiled once for all starts.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    born = time.perf_counter()
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command,
            cwd=environments.ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    try:
        yield Child(process=process, log=log, born=born)
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """The end of its input ends a child; one that does not heed it is killed."""
    assert process.stdin is not None and process.stdout is not None
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):  # it has ended with a request unread
            pipe.close()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Clocks:
    """What has passed since this was made."""

    def __init__(self) -> None:
        self._s, self._cpu_s = time.perf_counter(), time.process_time()

    def passed(self) -> dict[str, float]:
        """Seconds: `s` of the wall clock, `cpu_s` of this process's CPU."""
        return {"s": time.perf_counter() - self._s, "cpu_s": time.process_time() - self._cpu_s}


def serve(works: Mapping[str, Work]) -> None:
    """In the child: do what is asked until the input ends. An error ends the process, its traceback in the log.

    What a C library prints goes to the log and not among the answers.
    """
    answers: IO[bytes] = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        answers.write(json.dumps(works[request.pop("work")](**request)).encode() + b"\n")
        answers.flush()
