"""One worker process as the server sees it: started without our variables and files, given tasks, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from pathlib import Path

import msgspec

import runtime
from runtime.errors import RequestError, Unavailable
from runtime.providers.file_processors._readers.refusals import INVALID, OVER_LIMIT
from runtime.providers.file_processors._worker.messages import LENGTH_BYTES, Outcome, Task, framed
from runtime.starting import not_started

_PASSED_ON = (
    *("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "TESSDATA_PREFIX"),
    *("HF_HOME", "DOCLING_ARTIFACTS_PATH", "NLTK_DATA"),
)
"""The variables that a worker gets; ours have keys in them."""
_ALONE = {"OMP_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1", "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "true"}
_START = (
    "import sys; sys.path.append(sys.argv[2]); "
    "from runtime.providers.file_processors._worker.process import main; main(int(sys.argv[1]))"
)
_READ_BYTES = 1024 * 1024
_START_LIMIT_S = 60.0


class WorkerEnded(Exception):
    """The process ended while it had a task. code: its exit code, negative for a signal."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit code {code}")
        self.code = code


class Worker:
    """A running worker process. tasks: how many it has been given."""

    def __init__(self, process: asyncio.subprocess.Process, channel: socket.socket) -> None:
        self._process = process
        self._channel = channel
        self.tasks = 0

    @classmethod
    async def started(cls) -> Worker:
        """A worker that waits for tasks. Raises Unavailable if it does not come up."""
        try:
            worker = await cls._begun()
        except OSError as error:
            hint = "look at the server's log, and restart it"
            raise not_started("The process that reads documents", error, hint=hint) from error
        try:
            async with asyncio.timeout(_START_LIMIT_S):
                await worker._answer()
        except BaseException as error:
            await worker.end()
            if isinstance(error, WorkerEnded | TimeoutError):
                raise Unavailable(
                    f"The process that reads documents does not start ({error or 'no answer'})"
                ) from error
            raise
        return worker

    @classmethod
    async def _begun(cls) -> Worker:
        """Raises OSError."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-I", "-c", _START, str(theirs.fileno()), str(Path(runtime.__file__).parents[1])),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                    env=environment | _ALONE,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
        except BaseException:
            ours.close()
            raise
        return cls(process, ours)

    def has_ended(self) -> bool:
        """Whether the process has ended while it had no task, as when the system was short of memory."""
        try:
            return not self._channel.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except ConnectionError:
            return True

    async def run(self, task: Task, file: int) -> Outcome:
        """What becomes of a task. file: the descriptor of the document, at its beginning.

        A worker whose task was not finished has to be ended. Raises RequestError if reading takes too long or the
        process dies of the document, WorkerEnded if it ends otherwise.
        """
        self.tasks += 1
        limit_s = task.limits.timeout_s
        try:
            async with asyncio.timeout(limit_s):
                await self._send(task, file)
                return await self._answer()
        except TimeoutError:
            raise _too_slow(limit_s) from None
        except WorkerEnded as ended:
            if ended.code == -signal.SIGXCPU:
                raise _too_slow(limit_s) from ended
            if ended.code == -signal.SIGKILL:
                words = "The process that read the document was killed, probably because it took too much memory"
                raise _of_this_machine(words, code=OVER_LIMIT) from ended
            if ended.code < 0:
                name = signal.Signals(-ended.code).name
                words = f"The document makes the program that reads it crash ({name})"
                raise _of_this_machine(words, code=INVALID) from ended  # some libraries crash without memory
            raise

    def kill(self) -> None:
        """Kill the process and everything that it has started; `run` raises WorkerEnded."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Kill the process and release what it took. `run` must be over."""
        self.kill()
        await self._process.wait()
        self._channel.close()

    async def _send(self, task: Task, file: int) -> None:
        message = framed(task)
        try:
            socket.send_fds(self._channel, [message[:LENGTH_BYTES]], [file])
            await asyncio.get_running_loop().sock_sendall(self._channel, message[LENGTH_BYTES:])
        except ConnectionError:
            raise WorkerEnded(await self._process.wait()) from None

    async def _answer(self) -> Outcome:
        size = int.from_bytes(await self._exactly(LENGTH_BYTES), "big")
        return msgspec.json.decode(await self._exactly(size), type=Outcome)

    async def _exactly(self, size: int) -> bytes:
        loop, parts = asyncio.get_running_loop(), bytearray()
        while len(parts) < size:
            try:
                part = await loop.sock_recv(self._channel, min(size - len(parts), _READ_BYTES))
            except ConnectionError:
                part = b""
            if not part:
                raise WorkerEnded(await self._process.wait())
            parts += part
        return bytes(parts)


def _too_slow(limit_s: float) -> RequestError:
    hint = "read a part of it with `page_range` in `options`, or raise `timeout_s` of the provider"
    return _of_this_machine(f"Reading the document takes longer than {limit_s:g} s", code=OVER_LIMIT, hint=hint)


def _of_this_machine(words: str, *, code: str, hint: str | None = None) -> RequestError:
    """A refusal that another machine, or another hour, may not give."""
    error = RequestError(words, param="file", code=code, hint=hint)
    error.may_pass = True
    return error
