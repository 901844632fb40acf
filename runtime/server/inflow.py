"""Takes the rest of a long body from its connection, past the HTTP parser, which has nothing to find in it.

It is read straight into the bytes that are handed on, which nobody has to copy or give back, and much at once: each
read tells the sender to go on, which is half of its cost. What comes slowly is gathered, so that few pieces wake the
request.

    head and first bytes: Http1  ->  rest of the body: Inflow  ->  next head: Http1
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from typing import Protocol

from uvicorn.protocols.http.flow_control import FlowControl

PIECE_BYTES = 1024**2
"""The most that is read at once."""
GATHERED_BYTES = 256 * 1024
"""The least that is handed on before the end."""
LEAST_BYTES = 64 * 1024
"""A shorter rest is not worth the change."""
_MAX_READS = 16
"""So many reads are kept as they are: each takes some memory of its own, also for a single byte."""


class Receiver(Protocol):
    """The protocol whose connection it is."""

    def on_read(self, read_bytes: int) -> bool:
        """So many bytes more have arrived. False if no more are wanted, and `close` was called."""

    def on_piece(self, piece: bytes) -> None:
        """More of the body."""

    def pause_if_behind(self) -> bool:
        """Whether much still waits to be taken; if so, reading is paused until it was."""

    def on_inflow_end(self, *, is_whole: bool) -> None:
        """What comes now is yours again. is_whole: all of the body was handed on; if not, the client has left."""


class Inflow:
    """Reads a connection that its transport does not read meanwhile. left_bytes: how much of the body has not arrived;
    end_bytes: how much of that comes after everything else, in a read of its own.

    Raises OSError if the process has too many files open.
    """

    def __init__(self, receiver: Receiver, transport: asyncio.Transport, left_bytes: int, end_bytes: int) -> None:
        self._receiver = receiver
        self._left_bytes = left_bytes
        self._end_bytes = end_bytes
        self._reads: list[bytes] = []
        self._gathered_bytes = 0
        # A descriptor of its own, since an event loop refuses to watch that of a transport.
        self._socket = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
        self._loop = asyncio.get_running_loop()

    def resume_reading(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket.fileno(), self._read)

    def pause_reading(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())

    def close(self) -> None:
        """Also more than once."""
        self.pause_reading()
        self._socket.close()

    def _read(self) -> None:
        if self._receiver.pause_if_behind():
            return
        try:
            # Never beyond the end of the body: what follows is the next request.
            before_end = self._left_bytes - self._end_bytes
            data = self._socket.recv(min(before_end if before_end > 0 else self._left_bytes, PIECE_BYTES))
            # Of a connection that was reset nobody may ever hear again: uvloop calls a reader once more after that.
            if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                data = b""
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""  # the transport meets the same error, and knows what to do
        if not data:
            self._end(is_whole=False)
            return
        self._left_bytes -= len(data)
        self._gathered_bytes += len(data)
        self._reads.append(data)
        if not self._receiver.on_read(len(data)):
            return
        if self._gathered_bytes >= GATHERED_BYTES or not self._left_bytes:
            piece = self._joined()
            self._reads, self._gathered_bytes = [], 0
            self._receiver.on_piece(piece)
        elif len(self._reads) == _MAX_READS:
            self._reads = [self._joined()]
        if not self._left_bytes:
            self._end(is_whole=True)

    def _joined(self) -> bytes:
        return self._reads[0] if len(self._reads) == 1 else b"".join(self._reads)

    def _end(self, *, is_whole: bool) -> None:
        self._receiver.on_inflow_end(is_whole=is_whole)
        self.close()


class Flow(FlowControl):
    """Pauses the one that reads the connection: its transport, or an `Inflow`."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self._paused_s = self._paused_at = 0.0

    @property
    def paused_s(self) -> float:
        """For how many seconds nothing was read, in all."""
        return self._paused_s + (time.monotonic() - self._paused_at if self.read_paused else 0.0)

    def pause_reading(self) -> None:
        if not self.read_paused:
            self._paused_at = time.monotonic()
        super().pause_reading()

    def resume_reading(self) -> None:
        self._paused_s = self.paused_s
        super().resume_reading()

    def read_from(self, source: asyncio.Transport | Inflow) -> None:
        if not self.read_paused:
            self._transport.pause_reading()
            source.resume_reading()
        self._transport = source  # type: ignore[assignment]  # only asked to pause and to resume
