"""Pid 1 of a container: starts the process of the caller's code, passes runs on, watches what they take.

The pipes to the server are open here alone, and no other process of the container can reach into this one: so what the
server is told comes from here. What a run itself says, its output and its exception, is the caller's code's own.
Between runs every other process is stopped. A run that exceeds a limit ends this process, and with it, as the kernel
has it, all others of the container.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import time

from runtime.providers.containers.bubblewrap.inside import worker
from runtime.providers.containers.bubblewrap.inside.messages import LENGTH_BYTES, Gone, framed, read, receive, send
from runtime.providers.containers.bubblewrap.inside.watching import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TICK_S = 0.05
_READ_BYTES = 64 * 1024
_MOST_SAID = 1024 * 1024
"""Of what a run says about its end, in bytes."""
_SAID_LIMITS = ("memory", "disk", "processes")
"""Those that code meets as exceptions."""
_PR_SET_DUMPABLE = 4  # linux/prctl.h


def main() -> None:
    """Serve runs until the server closes its end."""
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(nothing, number)
    # Pid 1 gets only those signals of its container that it has a handler for.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # where memory is short, this goes first
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)  # nobody looks into it, or takes its pipes
    settings = receive(incoming)
    code = _Code(settings)
    send(outgoing, {"is_ready": True})
    while True:
        code.pause()
        try:
            asked = receive(incoming)
        except Gone:
            return
        answer = code.run(asked, incoming)
        send(outgoing, answer)
        if answer["is_over"]:
            return


class _Output:
    """What a run wrote: kept to a limit, and counted."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.kept = bytearray()
        self.size = 0

    def add(self, data: bytes) -> None:
        self.size += len(data)
        self.kept += data[: self._most - len(self.kept)]


class _Code:
    """The process of the caller's code."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._limits = settings["limits"]
        task, self._tasks = os.pipe()
        self._results, result = os.pipe()
        self._output, output = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            worker.live(task, result, output, settings)
        for theirs in (task, result, output):
            os.close(theirs)
        for ours in (self._output, self._tasks):
            os.set_blocking(ours, False)
        receive(self._results)

    def pause(self) -> None:
        """Stop every process but this one."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGSTOP)

    def run(self, asked: dict[str, Any], server: int) -> dict[str, Any]:
        """Run the code of a request. server: the pipe that ends when the server does. The answer: `logs`, and `is_cut`;
        `error`, `limit` and `figures`; `is_over`: whether nothing runs here after it.
        """
        output = _Output(self._limits["log_bytes"])
        watch = Watch(self._limits, asked["timeout_s"])
        os.kill(-1, signal.SIGCONT)
        said, limit = self._ended(asked, output, watch, server)
        self.pause()
        while limit is None and self._take(output):
            if output.size > self._limits["flood_bytes"]:
                limit = "output"
        limit = limit or said.get("limit") or watch.exceeded()
        logs = output.kept.decode(errors="replace")
        told = {name: said.get(name) for name in ("error", "figures")}
        is_over = limit is not None or said.get("is_over", False)
        return {"logs": logs, "is_cut": output.size > len(output.kept), **told, "limit": limit, "is_over": is_over}

    def _ended(
        self, asked: dict[str, Any], output: _Output, watch: Watch, server: int
    ) -> tuple[dict[str, Any], str | None]:
        """What the code's process says at the end of a run, or the limit that was met."""
        rest = memoryview(framed(asked))
        said = bytearray()
        at = 0.0
        while True:
            asks = [self._tasks] if rest else []
            readable, writable, _ = select.select([self._output, self._results, server], asks, [], _TICK_S)
            if writable:
                try:
                    rest = rest[os.write(self._tasks, rest) :]
                except BrokenPipeError:
                    return self._ended_itself(), None
            for ready in readable:
                if ready == server:  # it has nothing to say while code runs: it is gone
                    sys.exit()
                if ready == self._output:
                    self._take(output)
                elif not (part := os.read(self._results, _READ_BYTES)):
                    return self._ended_itself(), None
                else:
                    said += part
            if output.size > self._limits["flood_bytes"] or len(said) > _MOST_SAID:
                return {}, "output"
            if len(said) >= LENGTH_BYTES and len(said) - LENGTH_BYTES >= int.from_bytes(said[:LENGTH_BYTES], "big"):
                return _said(bytes(said), asked["nonce"]), None
            if time.monotonic() > at:
                if (limit := watch.exceeded()) is not None:
                    return {}, limit
                at = time.monotonic() + _TICK_S

    def _take(self, output: _Output) -> bool:
        """Whether there was more output."""
        try:
            data = os.read(self._output, _READ_BYTES)
        except BlockingIOError:
            return False
        output.add(data)
        return bool(data)

    def _ended_itself(self) -> dict[str, Any]:
        _, status = os.waitpid(self._pid, 0)
        how = os.waitstatus_to_exitcode(status)
        words = f"ended with exit code {how}" if how >= 0 else f"was ended by {signal.Signals(-how).name}"
        return {"error": f"The Python process {words}.", "is_over": True}


def _said(message: bytes, nonce: str) -> dict[str, Any]:
    """What the code's process says. Where that is not the answer to the run, its process is not to be used again."""
    size = int.from_bytes(message[:LENGTH_BYTES], "big")
    try:
        said = read(message[LENGTH_BYTES:])
        if len(message) == LENGTH_BYTES + size and said["nonce"] == nonce:
            error, limit = said["error"], said["limit"]
            return {
                "error": None if error is None else str(error),
                "limit": limit if limit in _SAID_LIMITS else None,
                "figures": [str(name) for name in said["figures"]],
            }
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    return {"error": "The Python process answers what it was not asked.", "is_over": True}
