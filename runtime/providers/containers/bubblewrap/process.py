"""A Python process of a container: started apart, given code, and ended as a whole with all that it started."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from runtime.apis.containers.running import Limit
from runtime.errors import Unavailable
from runtime.ids import new_id
from runtime.providers.containers.bubblewrap.inside.messages import LENGTH_BYTES, MOST_BYTES, framed
from runtime.providers.containers.bubblewrap.isolation import OURS
from runtime.starting import not_started
from runtime.to_the_end import to_the_end

log = logging.getLogger(__name__)
_START_S = 30.0
_GRACE_S = 5.0
"""For pid 1 to end what takes too long, before it is ended from here."""
_ADDRESS_BYTES = 512 * 1024**2
"""Of addresses beyond the memory that code may take: libraries map more than they use."""
_KILLED = 137
"""What bubblewrap ends with where pid 1 was killed, as the kernel does when memory is short."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Of a container. processes: with threads. memory_bytes: of all processes and of what is in memory only. files: in
    its folder. log_bytes: of output that is kept; flood_bytes: of output that is let through.
    """

    cpu_s: float
    memory_bytes: int
    disk_bytes: int
    files: int
    processes: int
    log_bytes: int
    flood_bytes: int


class Ran(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What came of a run. is_cut: whether `logs` is not all of the output. figures: names of files, as the run says.
    is_over: whether the process has ended with it.
    """

    logs: str = ""
    is_cut: bool = False
    error: str | None = None
    limit: Limit | None = None
    figures: list[str] | None = None
    is_over: bool = False


_to_ran = msgspec.json.Decoder(Ran).decode


class Process:
    """runs: how many it has begun."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.runs = 0

    @classmethod
    async def started(cls, command: Sequence[str], limits: Limits) -> Process:
        """One that waits for code. command: see `Isolation.command`. Raises Unavailable if it does not come up."""
        try:
            begun = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={},
                cwd="/",
                limit=1024 * 1024,
            )
        except OSError as error:
            hint = "look at the health of the provider, and try again"
            raise not_started("The process of the container", error, hint=hint, code="container_unavailable") from error
        process = cls(begun)
        settings = {
            "limits": asdict(limits),
            "address_bytes": limits.memory_bytes + _ADDRESS_BYTES,
            "ours": OURS,
        }
        try:
            async with asyncio.timeout(_START_S):
                await process._send(settings)
                await process._answer()
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            said = await process._last_words()
            await process.end()
            raise Unavailable(
                f"The process of the container does not start: {said or type(error).__name__}",
                hint="look at the health of the provider, and try again",
                code="container_unavailable",
            ) from error
        except BaseException:
            await to_the_end(process.end())
            raise
        return process

    @property
    def has_ended(self) -> bool:
        return self._process.returncode is not None

    async def run(self, code: str, timeout_s: float) -> Ran:
        """What comes of code. After one that is over, or where the caller is cancelled, `end` follows."""
        self.runs += 1
        try:
            async with asyncio.timeout(timeout_s + _GRACE_S):
                await self._send({"code": code, "timeout_s": timeout_s, "nonce": new_id("")})
                return _to_ran(await self._answer())
        except TimeoutError:
            return Ran(limit="time", is_over=True)
        except (OSError, asyncio.IncompleteReadError):
            self.kill()
            how = await self._process.wait()
            if how in (_KILLED, -9):
                return Ran(error="The system was short of memory.", limit="memory", is_over=True)
            return Ran(error="The Python process of the container has ended.", is_over=True)

    async def end(self) -> None:
        """Kill it and all that it started, and wait until nothing of it runs."""
        self.kill()
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(_GRACE_S):
                assert self._process.stdout is not None
                while await self._process.stdout.read(64 * 1024):  # pid 1 has the other end, and ends last
                    pass
        await self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def kill(self) -> None:
        kill(self._process)

    async def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(framed(dict(message)))
        await self._process.stdin.drain()

    async def _answer(self) -> bytes:
        assert self._process.stdout is not None
        size = int.from_bytes(await self._process.stdout.readexactly(LENGTH_BYTES), "big")
        if size > MOST_BYTES:
            raise OSError(f"an answer of {size} bytes")
        return await self._process.stdout.readexactly(size)

    async def _last_words(self) -> str:
        """Why it did not start, as bubblewrap or Python says."""
        self.kill()
        assert self._process.stderr is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_S):
                said = (await self._process.stderr.read(64 * 1024)).decode(errors="replace").strip().splitlines()
                return said[-1][:300] if said else ""
        return ""


def kill(process: asyncio.subprocess.Process) -> None:
    """`Process.kill` would take the exit code from the loop, which waits for it."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
