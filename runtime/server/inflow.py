"""Takes the rest of a long body from its connection, past the HTTP parser, which has nothing to find in it.

It is read into a buffer, and handed on when that is full: so the pieces are large however small the reads are, few of
them wake the request, and each is copied once.

    head and first bytes: Http1  ->  rest of the body: Inflow  ->  next head: Http1
"""

from __future__ import annotations

import asyncio
from mmap import mmap
from typing import Protocol

PIECE_BYTES = 256 * 1024
LEAST_BYTES = PIECE_BYTES // 4
"""A shorter rest is not worth the change."""
_MAX_SPARE = 16
_spare: list[mmap] = []  # new memory would cost as much as what is read into it


class Receiver(Protocol):
    """The protocol whose connection it is: an `asyncio.Protocol` with three methods more."""

    def on_read(self) -> None:
        """Something has arrived that will be part of a piece."""

    def on_piece(self, piece: bytes) -> None:
        """More of the body."""

    def on_body_end(self) -> None:
        """All of the body was handed on; what comes now is yours again."""

    def connection_lost(self, exc: Exception | None) -> None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


class Inflow(asyncio.BufferedProtocol):
    """Has the connection from now on. left_bytes: how much of the body has not arrived yet."""

    def __init__(self, receiver: Receiver, transport: asyncio.Transport, left_bytes: int) -> None:
        self._receiver = receiver
        self._transport = transport
        self._left_bytes = left_bytes
        # Memory that is not there before something is in it: a client may announce much, and send a byte.
        self._buffer: mmap | None = _spare.pop() if _spare else mmap(-1, PIECE_BYTES)
        self._filled = 0
        transport.set_protocol(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Never beyond the end of the body: what follows is the next request."""
        assert self._buffer is not None, "it has the connection"
        return memoryview(self._buffer)[self._filled : self._filled + self._left_bytes]

    def buffer_updated(self, nbytes: int) -> None:
        self._filled += nbytes
        self._left_bytes -= nbytes
        self._receiver.on_read()
        if self._filled == PIECE_BYTES or not self._left_bytes:
            assert self._buffer is not None, "something was read into it"
            piece = self._buffer[: self._filled]
            self._filled = 0
            self._receiver.on_piece(piece)
        if not self._left_bytes:
            self._give_back()
            self._transport.set_protocol(self._receiver)  # type: ignore[arg-type]  # only its methods count
            self._receiver.on_body_end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._give_back()
        self._receiver.connection_lost(exc)

    def pause_writing(self) -> None:
        self._receiver.pause_writing()

    def resume_writing(self) -> None:
        self._receiver.resume_writing()

    def _give_back(self) -> None:
        """Transports remember this protocol after they have another one, so it must not keep the buffer."""
        if len(_spare) < _MAX_SPARE and self._buffer is not None:
            _spare.append(self._buffer)
        self._buffer = None
