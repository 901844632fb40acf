"""Files in a server of its own: OpenAI's client drives it, it is killed, and its memory is measured."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from runtime.conformance.form import HEADERS, field, file
from runtime.conformance.form import form as whole_form
from tests.support.server_process import ServerProcess, server_process

pytestmark = pytest.mark.e2e
RUN_CONFIG: dict[str, Any] = {
    "version": 2,
    "distro_name": "files",
    "providers": {
        "inference": [],
        "files": [
            {
                "provider_id": "localfs",
                "provider_type": "inline::localfs",
                "config": {"max_file_bytes": 2 * 1024**3},
            }
        ],
    },
}
BLOCK = hashlib.sha512(b"block").digest() * 1024
"""64 KiB."""


def contents(folder: Path) -> list[str]:
    """The ids of all files of which there are bytes."""
    place = folder / "state" / "files" / "localfs" / "content"
    return sorted(path.name for path in place.rglob("*") if path.is_file())


async def listed(server: ServerProcess) -> list[str]:
    status, page = await server.ask("GET", "/v1/files")
    assert status == 200, page
    return sorted(file["id"] for file in page["data"])


def form(content: Any) -> aiohttp.FormData:
    data = aiohttp.FormData()
    data.add_field("purpose", "user_data")
    data.add_field("file", content, filename="a.bin")
    return data


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
async def test_openai_s_client_has_all_that_it_offers(
    tmp_path: Path, request: pytest.FixtureRequest, backend: str
) -> None:
    run = RUN_CONFIG
    if backend == "postgres":
        place = {"type": "sql_postgres", "connection_string": request.getfixturevalue("postgres_url")}
        run = run | {"storage": {"backends": {"sql_default": place}}}
    async with server_process(run, tmp_path) as server:
        await server.until("provider started")
        await asyncio.to_thread(drive, openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0))
        assert contents(tmp_path) == await listed(server) == []


def drive(client: openai.OpenAI) -> None:
    """Every method of `files` and `uploads`; nothing is left afterwards."""
    lines = b'{"custom_id": "1"}\n' * 1000
    first = client.files.create(file=("lines.jsonl", lines), purpose="batch")
    assert (first.bytes, first.filename, first.purpose, first.object) == (len(lines), "lines.jsonl", "batch", "file")
    expiring = client.files.create(
        file=io.BytesIO(b"x"), purpose="assistants", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert expiring.expires_at == expiring.created_at + 3600
    assert client.files.retrieve(first.id) == first == client.files.wait_for_processing(first.id)
    assert client.files.content(first.id).read() == lines
    assert client.files.content(first.id, extra_headers={"range": "bytes=2-10"}).text == "custom_id"
    assert [one.id for one in client.files.list(limit=1)] == [expiring.id, first.id]  # the client turns the pages
    assert [one.id for one in client.files.list(purpose="batch", order="asc")] == [first.id]

    whole = BLOCK * 40
    upload = client.uploads.upload_file_chunked(
        file=whole, filename="big.bin", bytes=len(whole), mime_type="application/octet-stream", purpose="user_data",
        part_size=len(BLOCK) * 15, md5=hashlib.md5(whole).hexdigest(),
    )  # fmt: skip
    assert upload.status == "completed" and upload.file is not None
    assert client.files.content(upload.file.id).read() == whole
    given_up = client.uploads.create(bytes=1, filename="x", mime_type="text/plain", purpose="vision")
    assert client.uploads.cancel(given_up.id).status == "cancelled"
    with pytest.raises(openai.ConflictError):
        client.uploads.parts.create(given_up.id, data=b"x")

    for one in client.files.list():
        assert client.files.delete(one.id).deleted
    with pytest.raises(openai.NotFoundError, match=first.id):
        client.files.retrieve(first.id)
    with pytest.raises(openai.BadRequestError, match="purpose"):
        client.files.create(file=b"x", purpose="mischief")  # type: ignore[arg-type]


async def test_a_killed_server_has_kept_all_that_it_acknowledged_and_nothing_else(tmp_path: Path) -> None:
    kept: dict[str, bytes] = {}
    for _ in range(2):
        async with server_process(RUN_CONFIG, tmp_path) as server:
            await server.until("provider started")
            enough = asyncio.Event()
            senders = [asyncio.create_task(send(server.url, kept, number, enough)) for number in range(8)]
            await asyncio.wait_for(enough.wait(), 60)
            assert server.process.returncode is None
            server.signal(signal.SIGKILL)
            await asyncio.gather(*senders)
            await server.process.wait()
    assert len(contents(tmp_path)) > len(kept), "the kill met no upload, so nothing is tested"
    async with server_process(RUN_CONFIG, tmp_path) as server:
        await server.until("what may be left of interrupted files removed")
        assert set(kept) <= set(await listed(server))
        assert contents(tmp_path) == await listed(server)
        async with aiohttp.ClientSession() as session:
            for file_id, content in kept.items():
                async with session.get(f"{server.url}/v1/files/{file_id}/content") as answer:
                    assert await answer.read() == content


async def send(url: str, kept: dict[str, bytes], number: int, enough: asyncio.Event) -> None:
    """Upload files until the server is no more; the half of the senders send one that never ends."""
    mine = 0
    try:
        async with aiohttp.ClientSession() as session:
            if number % 2:
                await session.post(f"{url}/v1/files", data=form(endless()))
            while True:
                content = b"%d %d" % (number, mine) * 5000
                async with session.post(f"{url}/v1/files", data=form(content)) as answer:
                    kept[(await answer.json())["id"]] = content
                mine += 1
                if mine == 20:
                    enough.set()
    except aiohttp.ClientError:
        return


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield BLOCK


async def test_what_expired_while_no_server_ran_is_removed_at_the_next_start(tmp_path: Path) -> None:
    async with server_process(RUN_CONFIG, tmp_path) as server:
        await server.until("provider started")
        status, kept = await server.ask("POST", "/v1/files", data=form(b"x"))
        assert status == 200 and contents(tmp_path) == [kept["id"]]
        server.signal(signal.SIGTERM)
        assert await server.ended() == 0
    with sqlite3.connect(tmp_path / "state" / "sql_store.db") as database:
        database.execute("UPDATE files SET expires_at = created_at")
    database.close()
    async with server_process(RUN_CONFIG, tmp_path) as server:
        await server.until("expired files removed")
        assert contents(tmp_path) == await listed(server) == []


@pytest.mark.parametrize("send_bytes", [5_000, 100_000, 10_000_000])
async def test_every_byte_arrives_however_it_is_sent_and_the_connection_goes_on(
    tmp_path: Path, send_bytes: int
) -> None:
    """uvloop reads in other steps than asyncio, with which `tests/unit/server/test_inflow.py` runs."""
    contents = [os.urandom(size) for size in (1, 70_000, 1_000_000, 5_000_000)]
    sent = b"".join(request(content) for content in contents)
    async with server_process(RUN_CONFIG, tmp_path) as server:
        await server.until("provider started")
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        sending = asyncio.create_task(send_in_steps(writer, sent, send_bytes))
        async with asyncio.timeout(60):
            for content in contents:
                head = await reader.readuntil(b"\r\n\r\n")
                assert b" 200 " in head[:20]
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                kept = json.loads(await reader.readexactly(length))
                where = f"{server.url}/v1/files/{kept['id']}/content"
                async with aiohttp.ClientSession() as session, session.get(where) as answer:
                    assert await answer.read() == content
            await sending
        writer.close()


def request(content: bytes) -> bytes:
    body = whole_form(field("purpose", "user_data"), file(content))
    kind = HEADERS["content-type"]
    head = f"POST /v1/files HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def send_in_steps(writer: asyncio.StreamWriter, data: bytes, step: int) -> None:
    for at in range(0, len(data), step):
        writer.write(data[at : at + step])
        await writer.drain()


async def test_a_large_file_takes_little_memory(tmp_path: Path) -> None:
    async def content(blocks: int) -> AsyncIterator[bytes]:
        for _ in range(blocks):
            yield BLOCK

    async with server_process(RUN_CONFIG, tmp_path) as server:
        await server.until("provider started")
        await server.ask("POST", "/v1/files", data=form(content(160)))
        before = peak_mb(server)
        status, kept = await server.ask("POST", "/v1/files", data=form(content(6400)))
        assert (status, kept["bytes"]) == (200, 400 * 1024**2)
        where = f"{server.url}/v1/files/{kept['id']}/content"
        async with aiohttp.ClientSession() as session, session.get(where) as answer:
            read = 0
            async for data in answer.content.iter_any():
                read += len(data)
        assert read == kept["bytes"]
        assert peak_mb(server) - before < 20


def peak_mb(server: ServerProcess) -> float:
    """The most memory that the server ever had, in MB."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
