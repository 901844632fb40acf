"""What a user's address leads to: public servers only, however it is written and wherever it leads on."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from runtime.addresses import is_public
from runtime.errors import RequestError, TooLarge, UpstreamError
from runtime.http.client import HttpClient
from runtime.http.live.given_names import GivenNames
from runtime.http.pages import Pages, WebPage
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Exchange, Outgoing

LIMIT_BYTES = 1000


def reader(http: HttpClient, *, allow_private: bool = False) -> Pages:
    return Pages(http, allow_private=allow_private, allowed_by="`a_setting`")


@pytest_asyncio.fixture
async def server() -> AsyncIterator[tuple[web.Application, str]]:
    """A web server of this machine, and its address."""
    app = web.Application()

    async def answer(request: web.Request) -> web.StreamResponse:
        path = request.path
        if path == "/text":
            return web.Response(text="A llama grazes.", content_type="text/plain", charset="utf-8")
        if path == "/moved":
            return web.Response(status=302, headers={"location": "text"})
        if path == "/circle":
            return web.Response(status=302, headers={"location": "/circle"})
        if path == "/large":
            return web.Response(body=b"x" * (LIMIT_BYTES + 1))
        if path == "/packed":
            return web.Response(body=b"x", headers={"content-encoding": "br"})
        if path == "/slow":
            await asyncio.Event().wait()
        raise web.HTTPNotFound

    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield app, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def read(pages: Pages, url: str, timeout_s: float = 10) -> WebPage:
    return await pages.read(url, limit_bytes=LIMIT_BYTES, timeout_s=timeout_s)


async def refusal(pages: Pages, url: str, **facts: Any) -> tuple[str | None, str]:
    with pytest.raises(RequestError) as caught:
        await read(pages, url, **facts)
    return caught.value.code, caught.value.message


async def test_a_page_is_read_also_where_it_was_moved_to(client: HttpClient, server: tuple[Any, str]) -> None:
    pages = reader(client, allow_private=True)
    for path in ("/text", "/moved"):
        found = await read(pages, server[1] + path)
        assert (found.content, found.content_type) == (b"A llama grazes.", "text/plain")
        assert found.url == f"{server[1]}/text"


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("/missing", "address_unreadable", "answered 404"),
        ("/circle", "address_unreadable", "more than 5 times"),
        ("/packed", "address_unreadable", "`br`"),
    ],
)
async def test_what_cannot_be_read_is_said(
    client: HttpClient, server: tuple[Any, str], path: str, code: str, words: str
) -> None:
    found = await refusal(reader(client, allow_private=True), server[1] + path)
    assert found[0] == code and words in found[1]


async def test_size_and_time_are_limited(client: HttpClient, server: tuple[Any, str]) -> None:
    pages = reader(client, allow_private=True)
    with pytest.raises(TooLarge):
        await read(pages, f"{server[1]}/large")
    code, words = await refusal(pages, f"{server[1]}/slow", timeout_s=0.2)
    assert code == "address_unreadable" and "0.2 s" in words


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://localhost:8321/v1/files", "http://[::1]/", "http://10.1.2.3/", "http://0.0.0.0/",
        "http://169.254.169.254/latest/meta-data/", "http://[::ffff:127.0.0.1]/", "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/", "http://224.0.0.1/", "http://100.64.0.1/", "http://LOCALHOST./",
    ],
)  # fmt: skip
async def test_addresses_that_are_not_public_are_refused(client: HttpClient, url: str) -> None:
    assert (await refusal(reader(client), url))[0] == "address_not_allowed"


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://example.com/", "http://", "http://user:secret@example.com/", "http://a:99999/", "x"],
)
async def test_what_is_no_address_is_refused_without_its_password(client: HttpClient, url: str) -> None:
    code, words = await refusal(reader(client, allow_private=True), url)
    assert code == "invalid_address" and "secret" not in words


class Answer:
    """An exchange without a body."""

    proxy = ""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self.status, self.headers = status, headers

    async def read(self) -> bytes:
        return b""

    async def chunks(self) -> AsyncIterator[bytes]:
        yield b""

    async def close(self) -> None:
        pass


class LeadsOn:
    """A transport whose every answer leads to one address. seen: what was asked."""

    def __init__(self, location: str) -> None:
        self._location = location
        self.seen: list[Outgoing] = []

    async def send(self, request: Outgoing, timeouts: Timeouts) -> Exchange:
        self.seen.append(request)
        return Answer(302, {"location": self._location})

    async def close(self) -> None:
        pass


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Every name is at these addresses."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", lambda *asked: found)


@pytest.mark.parametrize("location", ["http://169.254.169.254/", "http://localhost/", "//127.0.0.1/x", "file:///etc"])
async def test_where_a_page_leads_on_is_checked_as_well(monkeypatch: pytest.MonkeyPatch, location: str) -> None:
    resolving(monkeypatch, "93.184.215.14")
    transport = LeadsOn(location)
    pages = reader(HttpClient("acme", transport=transport))
    code, _ = await refusal(pages, "http://public.example/")
    assert code in ("address_not_allowed", "invalid_address")
    assert [request.url for request in transport.seen] == ["http://public.example/"]


@pytest.mark.parametrize(
    "location", ["http://[x", "http://[x]:1/", "http://a:b/", "/\ud800", "http://\ud800/", "http://a\u2100.c/"]
)
async def test_a_page_that_leads_to_no_address_is_refused(monkeypatch: pytest.MonkeyPatch, location: str) -> None:
    resolving(monkeypatch, "93.184.215.14")
    transport = LeadsOn(location)
    code, _ = await refusal(reader(HttpClient("acme", transport=transport)), "http://public.example/")
    assert code in ("address_unreadable", "invalid_address") and len(transport.seen) == 1


async def test_bytes_that_are_no_text_lead_on_as_they_came(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "93.184.215.14")
    transport = LeadsOn("/\udcff?\udcfe")  # as a header's bytes arrive
    await refusal(reader(HttpClient("acme", transport=transport)), "http://public.example/")
    assert transport.seen[1].url == "http://public.example/%FF?%FE"


async def test_a_name_with_one_address_that_is_not_public_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "93.184.215.14", "10.0.0.1")
    transport = LeadsOn("/")
    code, _ = await refusal(reader(HttpClient("acme", transport=transport)), "http://rebound.example/")
    assert code == "address_not_allowed" and transport.seen == []


async def test_no_connection_is_opened_to_what_a_name_leads_to_later() -> None:
    with pytest.raises(OSError, match="not at a public address"):
        await GivenNames(only_public=True, is_proxy=lambda host: False).resolve("localhost", 80)
    # a proxy may be anywhere
    assert await GivenNames(only_public=True, is_proxy=lambda host: True).resolve("localhost", 80)
    assert await GivenNames(only_public=False, is_proxy=lambda host: False).resolve("localhost", 80)


@pytest.mark.parametrize("allow_private", [True, False])
async def test_slow_name_servers_of_users_delay_no_vendor(
    client: HttpClient, server: tuple[Any, str], monkeypatch: pytest.MonkeyPatch, allow_private: bool
) -> None:
    """More look-ups than the event loop has threads hang: a name of the provider's own is looked up all the same."""
    found, released, begun = socket.getaddrinfo, threading.Event(), threading.Event()

    def getaddrinfo(host: str, *asked: Any, **more: Any) -> Any:
        if host.endswith(".example"):
            begun.set()
            assert released.wait(30)
            raise OSError(None, "released")
        return found(host, *asked, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(4))  # as many as the server's has
    pages = reader(client, allow_private=allow_private)
    slow = [asyncio.create_task(refusal(pages, f"http://slow-{number}.example/")) for number in range(8)]
    try:
        async with asyncio.timeout(20):
            assert await asyncio.get_running_loop().run_in_executor(None, begun.wait, 10)
            url = server[1].replace("127.0.0.1", "localhost")
            await (await client.send(Outgoing(method="GET", url=f"{url}/text"))).close()
    finally:
        released.set()
    assert {code for code, _ in await asyncio.gather(*slow)} == {"address_unreadable"}


async def test_a_connection_that_was_opened_unchecked_is_not_shared(
    client: HttpClient, server: tuple[Any, str]
) -> None:
    """A provider's own connections lead anywhere; those for addresses of users do not, also where it has some open."""
    url = server[1].replace("127.0.0.1", "localhost")
    exchange = await client.send(Outgoing(method="GET", url=f"{url}/text"))
    await exchange.close()
    others = client.for_others(only_public=True, are_given=True)
    with pytest.raises(UpstreamError, match="not at a public address"):
        await others.send(Outgoing(method="GET", url=f"{url}/text"))
    await others.close()
    await (await client.send(Outgoing(method="GET", url=f"{url}/text"))).close()  # closing those left its own open


async def test_what_is_public_is_told_by_its_address() -> None:
    assert is_public("93.184.215.14") and is_public("[2606:2800:21f:cb07:6820:80da:af6b:8b2c]")
    assert is_public("example.com") is None
    assert is_public("192.168.0.1") is False
    for nobodys in ("::127.0.0.1", "::ffff:0:10.0.0.1", "fec0::1", "64:ff9b:1::a00:1", "5f00::1"):
        assert is_public(nobodys) is False, nobodys
