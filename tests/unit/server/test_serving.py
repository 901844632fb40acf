"""TLS as clients meet it, with certificates made here, and where the server may listen."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from runtime.config.exposure import check_exposure
from runtime.config.sections import ServerConfig
from runtime.errors import ConfigInvalid
from runtime.server import serving
from tests.support.raw_http import LIMIT_S, listening


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def stranger() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA, tmp_path: Path) -> dict[str, str]:
    """The server's files, as `server` in a run config names them."""
    files = {name: str(tmp_path / name) for name in ("tls_certfile", "tls_keyfile", "tls_cafile")}
    made = authority.issue_cert("127.0.0.1")
    made.cert_chain_pems[0].write_to_path(files["tls_certfile"])
    made.private_key_pem.write_to_path(files["tls_keyfile"])
    authority.cert_pem.write_to_path(files["tls_cafile"])
    return files


async def ask(port: int, trusting: trustme.CA, showing: trustme.LeafCert | None) -> bytes:
    """The first line of the answer; nothing where the server ends the connection instead."""
    context = ssl.create_default_context()
    trusting.configure_trust(context)
    if showing is not None:
        showing.configure_cert(context)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
        await writer.drain()
        return await reader.readline()
    except OSError:  # the server's alert, which is an ssl.SSLError, or the reset that overtook it
        return b""
    finally:
        writer.transport.abort()


async def test_a_client_must_show_a_certificate_of_the_authority(
    tls: dict[str, str], authority: trustme.CA, stranger: trustme.CA
) -> None:
    async with listening(application, ServerConfig(**tls)) as server:
        assert await ask(server.port, authority, authority.issue_cert("me@here.test")) == b"HTTP/1.1 200 OK\r\n"
        for showing in (None, stranger.issue_cert("me@here.test")):
            assert await ask(server.port, authority, showing) == b""


async def test_without_an_authority_nobody_is_asked(tls: dict[str, str], authority: trustme.CA) -> None:
    del tls["tls_cafile"]
    async with listening(application, ServerConfig(**tls)) as server:
        assert await ask(server.port, authority, None) == b"HTTP/1.1 200 OK\r\n"


async def test_handshakes_that_never_end_count_as_connections(
    tls: dict[str, str], authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    del tls["tls_cafile"]
    monkeypatch.setattr(serving, "REFUSED_AT_ONCE", 0)
    async with asyncio.timeout(LIMIT_S), listening(application, ServerConfig(**tls, max_connections=3)) as server:
        async with contextlib.AsyncExitStack() as held:
            for _ in range(3):
                await held.enter_async_context(server.connection())
            refused = await held.enter_async_context(server.connection())
            with contextlib.suppress(ConnectionResetError):
                assert await refused.ended() == b""
        answer = b""
        while not answer:
            gc.collect()  # asyncio's own are in circles, uvloop's are not
            with contextlib.suppress(ConnectionError):
                answer = await ask(server.port, authority, None)
        assert answer == b"HTTP/1.1 200 OK\r\n"


async def test_an_idle_client_that_does_not_say_goodbye_holds_up_no_end(
    authority: trustme.CA, tls: dict[str, str]
) -> None:
    """Its connection is open, and nobody reads from it: as http.client's, requests' and a browser's pools are."""
    del tls["tls_cafile"]
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with listening(application, ServerConfig.model_validate(tls), drain_timeout_s=30) as server:

        def connected() -> ssl.SSLSocket:
            plain = socket.create_connection(("127.0.0.1", server.port))
            client = context.wrap_socket(plain, server_hostname="127.0.0.1")
            client.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
            return client

        client = await asyncio.to_thread(connected)
    # The end of the block waits for the server less long than a drain would take.
    client.close()


def _check_exposure(host: str, config: ServerConfig) -> None:
    check_exposure(None, config.model_copy(update={"host": host}))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "127.1", "::1", "localhost"])
def test_this_machine_is_no_exposure(host: str) -> None:
    _check_exposure(host, ServerConfig())


@pytest.mark.parametrize("host", ["0.0.0.0", "0", "", "::", "192.0.2.1", "fe80::1%lo"])
def test_other_machines_are_let_in_only_on_request(host: str, tls: dict[str, str]) -> None:
    for config in (ServerConfig(), ServerConfig(tls_certfile=tls["tls_certfile"], tls_keyfile=tls["tls_keyfile"])):
        with pytest.raises(ConfigInvalid, match=f"`{host}` is open to other machines"):
            _check_exposure(host, config)
    _check_exposure(host, ServerConfig(insecure=True))
    _check_exposure(host, ServerConfig(**tls))


@pytest.mark.parametrize("host", ["1.2.3.4.5", "127.0.0.1:80", "[::1]", "a..b", "x" * 70, "*"])
def test_a_host_that_is_none_is_a_problem_that_names_it(host: str) -> None:
    for config in (ServerConfig(), ServerConfig(insecure=True)):
        with pytest.raises(ConfigInvalid) as caught:
            _check_exposure(host, config)
        (problem,) = caught.value.problems
        assert problem.message.startswith(f"`{host}` is not an address to listen on: ")
