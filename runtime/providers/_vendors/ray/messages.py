"""What the server and its client of Ray tell each other: MessagePack behind its length, over a socket of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, TypeVar

import msgspec

from runtime.providers._vendors.ray.worker import Outcome

T = TypeVar("T")
_LENGTH_BYTES = 4


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The first message. base_url: of the server that the workers ask. headers: of each of their requests. at_once: how
    many of them a worker has at most. timeout_s: how long the server may say nothing.
    """

    address: str
    base_url: str
    headers: dict[str, str]
    workers: int
    cpus: float
    resources: dict[str, float]
    at_once: int
    timeout_s: float


class Ask(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A request for any of the workers. number: of it, for its answer."""

    number: int
    path: str
    body: bytes


class Leave(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Nobody waits for the answer any more."""

    number: int


class Answered(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What became of a request: see `worker.Answer`. `lost`: its worker is; `failed`: the worker has a fault."""

    number: int
    outcome: Outcome | Literal["lost", "failed"]
    status: int = 0
    headers: dict[str, str] = {}
    body: bytes = b""


class Workers(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Where the workers run that can be asked now, as `machine:pid`, whenever it changes. trouble: why the last of the
    others could not start.
    """

    at: tuple[str, ...]
    trouble: str | None = None


class Gone(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The last message: why the cluster cannot be used, and what to do."""

    what: str
    hint: str | None = None


to_settings = msgspec.msgpack.Decoder(Settings).decode
to_request = msgspec.msgpack.Decoder(Ask | Leave).decode
to_report = msgspec.msgpack.Decoder(Answered | Workers | Gone).decode


def framed(message: msgspec.Struct) -> bytes:
    """A message with its length before it."""
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


async def received(reader: asyncio.StreamReader, decode: Callable[[bytes], T]) -> T | None:
    """The next message; None where the other side has ended. decode: one of the three above."""
    try:
        size = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "big")
        return decode(await reader.readexactly(size))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
