"""What an S3 bucket alone can do wrong."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from runtime.conformance.files.subject import listed, upload, uploaded
from runtime.conformance.stacks import Served, run_config, serving
from tests.conformance.files.subjects.s3 import entry
from tests.support import web_proxy
from tests.support.s3 import S3Server, new_server


async def refused(served: Served) -> str:
    """Why files are not available: the same wherever it is asked."""
    answer = await upload(served)
    assert answer.status == 503, answer.body
    shown = (await served.client.get("/v1/providers/files")).json()
    assert shown["health"]["state"] == "degraded"
    message: str = answer.error["message"]
    assert "files" in message and "bucket" in message
    return message


async def test_a_wrong_secret_is_told(s3_server: S3Server, tmp_path: Path) -> None:
    wrong = entry(s3_server, aws_secret_access_key="not-the-secret")
    async with serving(run_config(providers={"inference": [], "files": [wrong]}), tmp_path) as served:
        message = await refused(served)
    assert "403" in message and "key" in message and "not-the-secret" not in message


async def test_a_bucket_that_is_not_there_is_told(s3_server: S3Server, tmp_path: Path) -> None:
    missing = entry(s3_server, bucket_name="bucket-missing")
    async with serving(run_config(providers={"inference": [], "files": [missing]}), tmp_path) as served:
        message = await refused(served)
    assert "there is no bucket `bucket-missing`" in message and "auto_create_bucket" in message


async def test_a_bucket_is_made_where_the_config_says_so(s3_server: S3Server, tmp_path: Path) -> None:
    made = entry(s3_server, bucket_name="bucket-made", key_prefix="", auto_create_bucket=True)
    async with serving(run_config(providers={"inference": [], "files": [made]}), tmp_path) as served:
        kept = await uploaded(served, b"x" * 1000)
        assert s3_server.objects("", "bucket-made") == [kept["id"]]


async def test_a_server_that_goes_down_and_comes_again(tmp_path: Path) -> None:
    folder = tmp_path / "s3"
    folder.mkdir()
    with new_server(folder) as server:
        run = run_config(providers={"inference": [], "files": [entry(server)]})
        async with serving(run, tmp_path / "state") as served:
            kept = await uploaded(served, b"kept")
            server.stop()
            for answer in (await upload(served), await served.client.get(f"/v1/files/{kept['id']}/content")):
                assert (answer.status, answer.error["code"]) == (503, "storage_unavailable"), answer.body
                assert f"127.0.0.1:{server.port}" in answer.error["message"]
            assert await listed(served) == [kept["id"]]  # what is known about files is elsewhere
            server.start()
            assert (await served.client.get(f"/v1/files/{kept['id']}/content")).body == b"kept"
            await uploaded(served, b"again")


async def test_a_file_in_several_parts_is_whole(s3_server: S3Server, tmp_path: Path) -> None:
    content = bytes(range(256)) * 65536
    large = entry(s3_server, max_file_bytes=len(content))
    async with serving(run_config(providers={"inference": [], "files": [large]}), tmp_path) as served:
        kept = await uploaded(served, content)
        path = f"/v1/files/{kept['id']}/content"
        assert (await served.client.get(path)).body == content
        part = await served.client.get(path, headers={"range": "bytes=4194300-4194310"})
        assert part.body == content[4194300:4194311]


async def test_secrets_are_not_shown(s3_server: S3Server, tmp_path: Path) -> None:
    run = run_config(providers={"inference": [], "files": [entry(s3_server)]})
    async with serving(run, tmp_path) as served:
        shown = (await served.client.get("/v1/providers/files")).json()["config"]
    assert shown["endpoint_url"] == s3_server.url
    assert shown["aws_secret_access_key"] == shown["aws_access_key_id"] == "********"


@asynccontextmanager
async def behind_tls(server: S3Server, authority: trustme.CA) -> AsyncIterator[int]:
    """A port that leads to the server, with a certificate of an authority that only its file makes known."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    calls: set[asyncio.Task[Any]] = set()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.add(call := asyncio.current_task())
        there, back = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            with suppress(OSError):
                await asyncio.gather(pass_on(reader, back), pass_on(there, writer))
        finally:
            calls.discard(call)
            for one in (writer, back):
                one.transport.abort()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


@asynccontextmanager
async def over_tls(server: S3Server, authority: trustme.CA, state: Path, **network: Any) -> AsyncIterator[Served]:
    async with behind_tls(server, authority) as port:
        provider = entry(server, endpoint_url=f"https://127.0.0.1:{port}", network=network)
        async with serving(run_config(providers={"inference": [], "files": [provider]}), state) as served:
            yield served


async def test_a_server_is_trusted_by_the_authority_of_the_config(s3_server: S3Server, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with over_tls(s3_server, authority, tmp_path / "unknown") as served:
        assert (await upload(served)).status == 503
    for name, verify in (("named", str(tmp_path / "ca.pem")), ("unchecked", False)):
        async with over_tls(s3_server, authority, tmp_path / name, tls={"verify": verify}) as served:
            kept = await uploaded(served, b"over TLS")
            assert (await served.client.get(f"/v1/files/{kept['id']}/content")).body == b"over TLS"


async def test_data_goes_through_the_proxy_of_the_config(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with web_proxy.served() as proxy:
        proxy.key = f"Basic {b64encode(b'us:pass').decode()}"
        settings = {"url": f"http://us:pass@{proxy.address}", "cacert": str(tmp_path / "ca.pem")}
        async with behind_tls(s3_server, authority) as port:
            proxy.leads_to = ("127.0.0.1", port)
            # The address is nobody's but the proxy's: what did not go through it would arrive nowhere.
            provider = entry(s3_server, endpoint_url="https://127.0.0.1:1", network={"proxy": settings})
            async with serving(run_config(providers={"inference": [], "files": [provider]}), tmp_path / "s") as served:
                kept = await uploaded(served, b"through a proxy")
                assert (await served.client.get(f"/v1/files/{kept['id']}/content")).body == b"through a proxy"
        assert {path for method, path in proxy.asked if method == "CONNECT"} == {"127.0.0.1:1"}
        proxy.asked.clear()
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://{proxy.address}")
        provider = entry(s3_server)
        async with serving(run_config(providers={"inference": [], "files": [provider]}), tmp_path / "near") as served:
            await uploaded(served, b"this machine is never reached through a proxy")
        assert proxy.asked == []
