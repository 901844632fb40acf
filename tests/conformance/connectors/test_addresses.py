"""Which addresses may be asked: those that users name must be public, also after a redirection and a second look-up."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http.server import HTTPServer
from typing import Any

import pytest

from runtime.errors import RequestError, StackError, UpstreamError
from tests.conformance.connectors.asking import Asking, Known, asking
from tests.support.mcp_server import RunningMcp
from tests.support.small_server import SmallHandler, running, url_of


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9/mcp", "http://localhost/mcp", "http://[::1]/", "http://169.254.169.254/", "http://10.0.0.1/"],
)
@pytest.mark.parametrize("is_registered", [False, True], ids=["in a request", "registered"])
async def test_a_user_cannot_name_a_server_that_is_not_public(
    connectors: Asking, url: str, is_registered: bool
) -> None:
    with pytest.raises(RequestError) as caught:
        if is_registered:
            await connectors.tools(Known(id="mine", source="registered", facts={"url": url}))
        else:
            await connectors.tools(url=url)
    assert caught.value.code == "address_not_allowed"
    assert connectors.left == (0, 0)


async def test_the_run_config_can_and_so_can_users_where_it_says_so(newest: RunningMcp) -> None:
    async with asking() as connectors:
        assert "add" in await connectors.names(Known(id="ours", facts={"url": newest.url}))
    async with asking(allow_private_addresses=True) as connectors:
        assert "add" in await connectors.names(url=newest.url)


async def test_a_name_that_leads_here_is_refused(connectors: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    here = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *asked: here)
    with pytest.raises(RequestError) as caught:
        await connectors.tools(url="http://rebound.example/mcp")
    assert caught.value.code == "address_not_allowed"


async def test_a_name_that_leads_here_at_the_second_look_is_refused(
    connectors: Asking, newest: RunningMcp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that was checked is public; the one that a connection would be opened to is not."""
    looked: list[str] = []

    def getaddrinfo(host: str, *asked: Any) -> list[Any]:
        looked.append(host)
        address = "93.184.215.14" if len(looked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, newest.port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(UpstreamError, match="not at a public address"):
        await connectors.tools(url=f"http://rebound.example:{newest.port}/mcp")
    assert len(looked) >= 2 and newest.asked == []


class LeadsOn(SmallHandler):
    """Leads every request on, as its server says."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.do_GET()

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_response(307)
        self.send_header("location", self.server.location)  # type: ignore[attr-defined]
        self.send_header("content-length", "0")
        self.end_headers()

    do_DELETE = do_GET


@pytest.fixture
def leading() -> Iterator[Any]:
    server: Any = HTTPServer(("127.0.0.1", 0), LeadsOn)
    server.asked = []
    with running(server):
        yield server


async def test_a_redirection_to_another_server_is_not_followed(newest: RunningMcp, leading: Any) -> None:
    leading.location = f"{newest.url}?token=in-the-address"
    async with asking(identities={"stack": {"type": "bearer", "token": "tok-0123456789"}}) as connectors:
        with pytest.raises(UpstreamError) as caught:
            await connectors.tools(Known(id="x", facts={"url": f"{url_of(leading)}/mcp", "identity": "stack"}))
    assert "leads on to `http://127.0.0.1" in caught.value.message and "in-the-address" not in caught.value.message
    assert newest.asked == [] and leading.asked


@pytest.mark.parametrize("transport", ["streamable_http", "sse", "auto"])
@pytest.mark.parametrize("location", ["http://[x", "http://a:b/", "http://[x]:1/"])
async def test_a_redirection_to_no_address_is_the_server_s_fault(leading: Any, location: str, transport: str) -> None:
    leading.location = location
    async with asking() as connectors:
        with pytest.raises(UpstreamError, match="leads on to what is no address"):
            await connectors.tools(Known(id="x", facts={"url": f"{url_of(leading)}/mcp", "transport": transport}))
        assert connectors.left == (0, 0)


async def test_a_redirection_to_itself_has_an_end(leading: Any) -> None:
    leading.location = "/mcp"
    async with asking() as connectors:
        with pytest.raises(UpstreamError):
            await connectors.tools(Known(id="x", facts={"url": f"{url_of(leading)}/mcp"}))
        assert connectors.left == (0, 0)


@pytest.mark.parametrize("is_configured", [False, True])
async def test_the_hint_is_for_whoever_has_named_the_server(is_configured: bool) -> None:
    async with asking(allow_private_addresses=True) as connectors:
        with pytest.raises(UpstreamError) as caught:
            await connectors.at("http://127.0.0.1:1/mcp", is_configured=is_configured).tools()
    assert caught.value.hint is not None and ("run config" in caught.value.hint) == is_configured


async def test_no_error_shows_more_of_an_address_than_its_server(leading: Any) -> None:
    key = "sk-0123456789abcdef"
    leading.location = f"http://elsewhere.example/{key}"
    async with asking() as connectors:
        for url in (f"{url_of(leading)}/{key}?k={key}", f"http://127.0.0.1:1/{key}", f"http://nowhere.invalid/{key}"):
            known = Known(id="ours", facts={"url": url})
            with pytest.raises(StackError) as caught:
                await connectors.tools(known)
            assert key not in caught.value.words + repr(known.facts | {"url": ""}), url
        with pytest.raises(RequestError) as refused:
            await connectors.tools(url=f"http://10.0.0.1/{key}")
        assert key not in refused.value.words and "http://10.0.0.1/<redacted>" in refused.value.message
