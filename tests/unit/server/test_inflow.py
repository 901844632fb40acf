"""Long bodies over a real socket: every byte arrives in its place, and nothing of what follows."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from mmap import PAGESIZE
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.server.http1 import Http1
from runtime.server.inflow import GATHERED_BYTES, LEAST_BYTES, PIECE_BYTES
from tests.support.raw_http import LIMIT_S, Connection, listening

STATM, DESCRIPTORS = Path("/proc/self/statm"), Path("/proc/self/fd")
HEAD = b"POST /sum HTTP/1.1\r\nhost: localhost\r\n"


class Summing:
    """Answers with the length and the hash of each body. pieces: the sizes of its parts; gate: closed, it reads
    nothing; left: a client left. At `/refused`, it answers after the first part.
    """

    def __init__(self) -> None:
        self.pieces: list[int] = []
        self.gate, self.left, self.asked = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.gate.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
            return
        self.asked.set()
        found, size, more = hashlib.sha256(), 0, True
        while more:
            await self.gate.wait()
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.set()
                return
            self.pieces.append(len(message["body"]))
            found.update(message["body"])
            size += len(message["body"])
            more = message["more_body"] and scope["path"] != "/refused"
        said = f"{size} {found.hexdigest()}".encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]})
        await send({"type": "http.response.body", "body": said})


@pytest.fixture
def app() -> Summing:
    return Summing()


@pytest_asyncio.fixture
async def connection(app: Summing) -> AsyncIterator[Connection]:
    async with listening(app) as running, running.connection() as connected:
        yield connected


def memory_pages() -> int:
    """Of this process, in the machine's memory."""
    return int(STATM.read_text().split()[1])


def post(body: bytes, more: bytes = b"") -> bytes:
    return HEAD + more + b"content-length: %d\r\n\r\n" % len(body) + body


async def expect(connection: Connection, body: bytes) -> None:
    async with asyncio.timeout(LIMIT_S):
        answer = await connection.answer()
    assert answer.body.decode() == f"{len(body)} {hashlib.sha256(body).hexdigest()}"


@pytest.mark.parametrize(
    "size", [LEAST_BYTES - 1, LEAST_BYTES, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES, 5 * PIECE_BYTES + 7]
)
@pytest.mark.parametrize("send_bytes", [1000, 65_536, 10_000_000])
async def test_every_byte_is_there_and_the_next_requests_are_read(
    connection: Connection, app: Summing, size: int, send_bytes: int
) -> None:
    body = os.urandom(size)
    sent = post(body) + post(b"{}") + post(body, b"expect: 100-continue\r\n")
    for at in range(0, len(sent), send_bytes):
        await connection.send(sent[at : at + send_bytes])
    await expect(connection, body)
    await expect(connection, b"{}")
    await expect(connection, body)
    assert max(app.pieces) <= 2 * PIECE_BYTES


async def test_it_comes_in_large_pieces_and_never_faster_than_it_is_read(connection: Connection, app: Summing) -> None:
    body = os.urandom(20 * PIECE_BYTES)
    app.gate.clear()
    sending = asyncio.create_task(connection.send(post(body)))
    async with asyncio.timeout(LIMIT_S):
        await app.asked.wait()
        app.gate.set()
        await sending
    await expect(connection, body)
    assert len(app.pieces) <= 24 and max(app.pieces) <= 2 * PIECE_BYTES


@pytest.mark.parametrize(("kind", "is_form"), [(b"multipart/form-data; boundary=b", True), (b"text/plain", False)])
async def test_the_end_of_a_form_is_a_piece_of_its_own(
    connection: Connection, app: Summing, kind: bytes, is_form: bool
) -> None:
    body = os.urandom(4 * PIECE_BYTES)
    await connection.send(post(body, b"content-type: %b\r\n" % kind))
    await expect(connection, body)
    assert (app.pieces[-1] == 512) == is_form


async def test_the_rest_of_a_body_that_was_answered_early_is_dropped(connection: Connection) -> None:
    whole = post(os.urandom(4 * PIECE_BYTES)).replace(b"/sum", b"/refused")
    await connection.send(whole[: 2 * PIECE_BYTES])
    assert (await connection.answer()).status == 200
    await connection.send(whole[2 * PIECE_BYTES :] + post(b"{}"))
    await expect(connection, b"{}")


@pytest.mark.parametrize("size", [LEAST_BYTES - 1, GATHERED_BYTES])
async def test_what_follows_the_last_request_is_not_read(
    connection: Connection, app: Summing, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_come, take = asyncio.Event(), Http1.data_received

    def seen(self: Http1, data: bytes) -> None:
        take(self, data)
        if data.endswith(b"\r\n\r\n") and app.asked.is_set():
            has_come.set()

    monkeypatch.setattr(Http1, "data_received", seen)
    body = os.urandom(size)
    app.gate.clear()
    await connection.send(post(body, b"connection: close\r\n").removesuffix(body))
    async with asyncio.timeout(LIMIT_S):
        await app.asked.wait()
        await connection.send(body + b"this is no request\r\n\r\n")
        await has_come.wait()
    app.gate.set()
    await expect(connection, body)


async def test_a_client_that_leaves_in_the_middle_is_noticed(connection: Connection, app: Summing) -> None:
    await connection.send(post(os.urandom(4 * PIECE_BYTES))[: 3 * PIECE_BYTES])
    async with asyncio.timeout(LIMIT_S):
        await app.asked.wait()
        connection.writer.close()
        await app.left.wait()


async def test_a_client_that_falls_silent_is_not_waited_for(app: Summing) -> None:
    async with listening(app) as running:
        running.server.config.timeout_keep_alive = 0.05  # type: ignore[assignment]  # seconds, also parts of them
        async with running.connection() as connection:
            await connection.send(post(os.urandom(4 * PIECE_BYTES))[: 2 * PIECE_BYTES])
            assert (await connection.answer()).status == 408
            async with asyncio.timeout(LIMIT_S):
                await app.left.wait()


@pytest.mark.skipif(not STATM.exists(), reason="the system does not say how much memory it has given")
async def test_what_is_only_announced_takes_no_memory(app: Summing) -> None:
    """Many connections, each with the head of a long body and its first byte."""
    async with listening(app) as running, AsyncExitStack() as held:
        head = post(bytes(4 * PIECE_BYTES))[: -4 * PIECE_BYTES + 1]
        before = memory_pages()
        for _ in range(200):
            app.asked.clear()
            connection = await held.enter_async_context(running.connection())
            await connection.send(head)
            async with asyncio.timeout(LIMIT_S):
                await app.asked.wait()
        assert (memory_pages() - before) * PAGESIZE < 100 * GATHERED_BYTES


@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="the system does not say which files are open")
async def test_no_descriptor_is_left(app: Summing) -> None:
    async with listening(app) as running:
        before = len(list(DESCRIPTORS.iterdir()))
        async with running.connection() as connection:
            for _ in range(3):
                body = os.urandom(2 * PIECE_BYTES)
                await connection.send(post(body))
                await expect(connection, body)
            await connection.send(post(body)[:-1])
        async with asyncio.timeout(LIMIT_S):
            await app.left.wait()
        assert len(list(DESCRIPTORS.iterdir())) == before


async def test_a_process_with_too_many_open_files_reads_on(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(descriptor: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "dup", refused)
    body = os.urandom(3 * PIECE_BYTES)
    await connection.send(post(body) + post(b"{}"))
    await expect(connection, body)
    await expect(connection, b"{}")
