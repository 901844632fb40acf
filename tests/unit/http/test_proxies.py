"""The way to a server: directly or through a proxy of the environment, as curl would go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from runtime.addresses import is_exempt, is_local, is_near
from runtime.conformance.upstream import Upstream
from runtime.http.client import HttpClient
from runtime.http.network import ProxySettings
from runtime.http.proxies import proxy_for
from runtime.http.transport import Outgoing, json_request
from tests.support.calls import HEADERS, chat, failure


@pytest_asyncio.fixture
async def proxy() -> AsyncIterator[tuple[str, list[str]]]:
    """A proxy that answers everything itself: its `host:port`, and the first line of each request it was sent."""
    seen: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0].decode())
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", seen


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def far(scheme: str = "http") -> Outgoing:
    return json_request(f"{scheme}://vendor.invalid/v1/x", {}, headers=HEADERS)


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize(
    ("variable", "form"),
    [
        ("http_proxy", "http://{}"),
        ("HTTP_PROXY", "http://{}/"),
        ("HTTP_PROXY", "HTTP://me:hush@{}"),
        ("http_proxy", "{}"),
        ("ALL_PROXY", "http://{}"),
        ("all_proxy", "{}"),
    ],
)
async def test_a_proxy_of_the_environment_is_used(
    client: HttpClient, proxy: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch, variable: str, form: str
) -> None:
    address, seen = proxy
    monkeypatch.setenv(variable, form.format(address))
    assert (await client.reply(far())).data == b"{}"
    assert seen == ["POST http://vendor.invalid/v1/x HTTP/1.1"]


@pytest.mark.usefixtures("no_proxies")
async def test_the_scheme_s_own_proxy_comes_before_the_one_for_all(
    client: HttpClient, proxy: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy[0])
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1")
    assert (await client.reply(far())).data == b"{}"
    assert (await failure(client.reply(far("https")))).code == "proxy_not_usable"


@pytest.mark.usefixtures("no_proxies")
async def test_this_machine_is_reached_directly(
    upstream: Upstream, client: HttpClient, proxy: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", proxy[0])
    await client.reply(chat(upstream))
    assert (len(upstream.seen), proxy[1]) == (1, [])


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
def test_what_no_proxy_names_is_reached_directly(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv("all_proxy", "http://proxy.invalid:3128")
    assert proxy_for("http", "vendor.invalid", None).url == "http://proxy.invalid:3128"
    monkeypatch.setenv(variable, "other.example, .invalid")
    assert proxy_for("http", "vendor.invalid", None).url is None


@pytest.mark.parametrize(
    ("host", "port", "no_proxy"),
    [
        ("vendor.example", 443, "*"),
        ("vendor.example", 443, "vendor.example"),
        ("VENDOR.example.", 443, "Vendor.Example"),
        ("api.vendor.example", 443, "vendor.example"),
        ("api.vendor.example", 443, ".vendor.example"),
        ("api.vendor.example", 443, "*.vendor.example"),
        ("vendor.example", 8080, "other, vendor.example:8080"),
        ("10.1.2.3", 80, "10.0.0.0/8"),
        ("10.1.2.3", 80, "192.168.0.0/16 10.1.2.3"),
        ("10.1.2.3", 8080, "10.1.2.3:8080"),
        ("[fd00::7]", 443, "fd00::/8"),
        ("[fd00::7]", 443, "[fd00::7]"),
        ("fd00::7", 8443, "[fd00::7]:8443"),
        ("fd00::7", 443, "::/0"),
        ("[::ffff:10.1.2.3]", 80, "10.0.0.0/8"),
    ],
)
def test_no_proxy_names_hosts_addresses_and_networks(host: str, port: int, no_proxy: str) -> None:
    assert is_exempt(host, port, no_proxy)


@pytest.mark.parametrize(
    ("host", "port", "no_proxy"),
    [
        ("vendor.example", 443, ""),
        ("myvendor.example", 443, "vendor.example"),
        ("vendor.example", 443, "api.vendor.example"),
        ("vendor.example", 443, "vendor.example:8080"),
        ("vendor.example", 443, "10.0.0.0/8, ., *., :, [, [::1"),
        ("11.1.2.3", 80, "10.0.0.0/8"),
        ("10.1.2.3", 80, "10.1.2.3:8080"),
        ("10.1.2.3", 80, "::/0"),
        ("fd00::7", 443, "fe80::/10, 0.0.0.0/0, [fd00::7]:1"),
    ],
)
def test_no_proxy_names_no_more_than_it_says(host: str, port: int, no_proxy: str) -> None:
    assert not is_exempt(host, port, no_proxy)


@pytest.mark.parametrize("host", ["169.254.169.254", "169.254.170.2", "[fe80::a9fe:a9fe]"])
@pytest.mark.parametrize("settings", [None, ProxySettings(url="http://proxy.example:3128")])
def test_no_proxy_is_asked_what_a_machine_is_in_its_cloud(
    monkeypatch: pytest.MonkeyPatch, host: str, settings: ProxySettings | None
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    assert proxy_for("http", "10.1.2.3", None, settings).url
    assert not proxy_for("http", host, None, settings).url


def test_this_machine_is_known_by_name_and_address() -> None:
    ours = ("localhost", "LOCALHOST.", "api.localhost", "127.0.0.1", "127.9.9.9", "[::1]", "::1", "::ffff:127.0.0.1")
    ours += ("0.0.0.0", "[::]")  # every address of this machine to listen on; to go to, this machine
    others = ("localhost.example", "10.0.0.1", "0.0.0.0.example", "[fd00::1]", "127.0.0.1.example", "")
    assert all(map(is_local, ours))
    assert not any(map(is_local, others))


def test_what_is_near_is_told_by_its_address() -> None:
    near = ("localhost", "127.0.0.1", "[::1]", "10.1.2.3", "192.168.7.7", "172.16.0.1", "fd00::7")
    far = ("api.vendor.example", "8.8.8.8", "2600::1", "", "nonsense")
    assert all(map(is_near, near))
    assert not any(map(is_near, far))


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_fails_is_named_with_its_variable(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int, scheme: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", f"http://me:hush@127.0.0.1:{unused_tcp_port}")
    error = await failure(client.reply(far(scheme)))
    assert (error.status, error.code) == (502, "proxy_failed")
    assert f"http://127.0.0.1:{unused_tcp_port} (of `ALL_PROXY`)" in error.message
    assert "hush" not in str(error.body())


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize("status", ["403 Forbidden", "503 Service Unavailable", "200 OK"])
async def test_an_answer_that_may_be_the_proxy_s_own_names_it(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    """Without TLS a proxy that refuses a server answers as that server would."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %s\r\ncontent-length: 6\r\n\r\nno way" % status.encode())
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        monkeypatch.setenv("http_proxy", f"http://me:hush@{address}")
        error = await failure(client.reply(far()))
    assert f", through the proxy http://{address} (of `http_proxy`)" in error.message
    assert "no way" in error.message and "hush" not in str(error.body())


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_wants_other_credentials_is_named(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        monkeypatch.setenv("https_proxy", f"http://{address}")
        monkeypatch.setenv("http_proxy", f"http://{address}")
        error = await failure(client.reply(far(scheme)))
    assert (error.status, error.code) == (502, "proxy_failed")
    assert f"http://{address} (of `{scheme}_proxy`)" in error.message


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("http_proxy", "https://me:hush@127.0.0.1:{port}"),
        ("HTTP_PROXY", "socks5://me:hush@127.0.0.1:{port}"),
        ("ALL_PROXY", "socks5h://me:hush@127.0.0.1:{port}"),
        ("all_proxy", "http://me:hush@127.0.0.1:none"),
        ("http_proxy", "http://"),
        ("http_proxy", "http://[::1"),
    ],
)
async def test_a_proxy_that_cannot_be_spoken_to_is_not_passed_by(
    client: HttpClient, proxy: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    variable: str, value: str,
) -> None:  # fmt: skip
    monkeypatch.setenv(variable, value.format(port=proxy[0].rpartition(":")[2]))
    for _ in range(2):
        error = await failure(client.reply(far()))
        assert (error.status, error.code) == (502, "proxy_not_usable")
        assert f"`{variable}`" in error.message
    assert proxy[1] == []  # nor is it passed by
    assert [(record.message, record.__dict__["variable"]) for record in caplog.records] == [
        ("the proxy of a variable cannot be used", f"`{variable}`")
    ]
    assert "hush" not in f"{error.body()} {caplog.text} {[vars(record) for record in caplog.records]}"
