"""Strangers' web pages: what a browser would send for them is refused, what everybody else sends is not."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.config.sections import CorsConfig
from runtime.context import RequestContext, serving
from runtime.errors import RequestError
from runtime.server.middleware import hosts
from runtime.server.middleware.hosts import is_this_machine
from runtime.server.middleware.origin import OriginMiddleware

HERE = ("host", "127.0.0.1:8321")
LET_IN = 200


async def ask(
    *headers: tuple[str, str], cors: CorsConfig | None = None, hosts: list[str] | None = None, **scope: Any
) -> int:
    """The status: 200 where the application behind the middleware was reached."""
    reached = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope)

    guard = OriginMiddleware(app, cors=cors, hosts=hosts)
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    try:
        with serving(RequestContext(request_headers=dict(raw))):
            await guard({"type": "http", "http_version": "1.1", "headers": raw, **scope}, None, None)  # type: ignore[arg-type]  # nothing else is looked at
    except RequestError as error:
        assert not reached
        return error.status
    assert reached
    return LET_IN


OURS = """
    127.0.0.1 127.0.0.1:8321 127.9.9.9 127.0.0.1. localhost:8321 LocalHost localhost. localhost: llama.localhost
    [::1]:8321 [::1] [::1%lo] [::1%25lo]:80 [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1] [::FFFF:7f00:1]
"""
FOREIGN = """
    evil.example:8321 127.0.0.1.evil.example localhost.evil.example notlocalhost 10.0.0.1 0.0.0.0 [2001:db8::1]
    [::ffff:10.0.0.1] localhost.. under_score
"""
NO_HOSTS = """
    é [nonsense [::1 ::1 [gg::1] [1.2.3.4]x [::1]] [] user@localhost localhost:pass@x localhost:99999 localhost:x
    localhost:+1 localhost:80:80 localhost/path http://localhost a,b . localhost# localhost? %6cocalhost localhost:² :80
"""
FOREIGN_PAGES = """
    https://evil.example http://localhost:3000 http://127.0.0.1 https://127.0.0.1 null file:// http://[ http://[::1
    http:// :// http://127.0.0.1:8321/ http://u@127.0.0.1:8321 127.0.0.1:8321 //127.0.0.1:8321 http://127.0.0.1:8321,null
    http://127.0.0.1:x ftp://127.0.0.1:8321 http:127.0.0.1:8321 chrome-extension://abc http://127.0.0.1:8321# ÿ
"""


@pytest.mark.parametrize("host", OURS.split())
async def test_this_machine_s_own_names_are_let_in(host: str) -> None:
    assert await ask(("host", host), hosts=[]) == LET_IN


@pytest.mark.parametrize("host", FOREIGN.split())
async def test_other_names_are_not(host: str) -> None:
    assert await ask(("host", host), hosts=[]) == 403


@pytest.mark.parametrize("host", ["local host", "localhost\t", "loc\0alhost", *NO_HOSTS.split()])
@pytest.mark.parametrize("hosts", [[], None], ids=["here", "all"])
async def test_a_host_that_is_none_is_a_400(host: str, hosts: list[str] | None) -> None:
    assert await ask(("host", host), hosts=hosts) == 400


async def test_only_http_1_0_may_leave_the_host_out() -> None:
    assert await ask(hosts=[]) == 400
    assert await ask(("host", ""), hosts=[]) == 400
    assert await ask(hosts=[], http_version="1.0") == LET_IN


@pytest.mark.parametrize("name", ["host", "origin"])
async def test_two_hosts_or_origins_are_a_400(name: str) -> None:
    """Else a proxy could have looked at the other one."""
    value = "127.0.0.1" if name == "host" else "http://127.0.0.1"
    assert await ask(("host", "127.0.0.1"), (name, value), hosts=[]) == (400 if name == "host" else LET_IN)
    assert await ask(("host", "127.0.0.1"), (name, value), (name, value), hosts=[]) == 400
    assert await ask(HERE, ("accept", "a"), ("accept", "b"), hosts=[]) == LET_IN


@pytest.mark.parametrize(
    ("page", "host"),
    [
        ("http://127.0.0.1:8321", "127.0.0.1:8321"),
        ("http://localhost", "localhost:80"),
        ("http://localhost:80", "localhost"),
        ("https://localhost", "localhost:443"),
        ("https://localhost:443", "LOCALHOST."),
        ("https://localhost", "localhost"),
        ("http://[::1]:8321", "[::1]:8321"),
    ],
)
async def test_our_own_pages_are_let_in(page: str, host: str) -> None:
    assert await ask(("host", host), ("origin", page), hosts=[]) == LET_IN


@pytest.mark.parametrize("page", ["http://127.0.0.1:8321 http://evil.example", " ", *FOREIGN_PAGES.split()])
async def test_strangers_pages_are_kept_out(page: str) -> None:
    assert await ask(HERE, ("origin", page), hosts=[]) == 403


@pytest.mark.parametrize("entry", ["Llama.example.com", "llama.example.com.", "llama.example.com:8321"])
async def test_a_name_can_be_allowed(entry: str) -> None:
    assert await ask(("host", "llama.example.com"), hosts=[entry]) == LET_IN
    assert await ask(("host", "LLAMA.example.com:8321"), hosts=[entry]) == LET_IN
    assert await ask(("host", "other.example.com"), hosts=[entry]) == 403
    assert await ask(HERE, hosts=[entry]) == LET_IN


async def test_an_address_can_be_allowed() -> None:
    for entry in ("2001:db8::1", "[2001:db8::1]"):
        assert await ask(("host", "[2001:db8::1]:8321"), hosts=[entry]) == LET_IN
    assert await ask(("host", "10.0.0.1"), hosts=["10.0.0.1"]) == LET_IN


BROWSERS = [
    ("origin", "http://llama.lan:8321"),
    ("sec-fetch-site", "same-origin"),
    ("sec-fetch-site", "none"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
]


async def test_where_other_machines_may_come_any_name_will_do_for_a_client_that_is_no_browser() -> None:
    assert await ask(("host", "llama.lan:8321"), ("user-agent", "OpenAI/Python 3.0"), hosts=None) == LET_IN


@pytest.mark.parametrize("sign", BROWSERS, ids=str)
async def test_and_a_browser_needs_a_name_that_no_stranger_can_own(
    sign: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its page may have been a stranger's before the name was pointed here."""
    monkeypatch.setattr(hosts.socket, "gethostname", lambda: "Box.home.example")
    assert await ask(("host", "llama.lan:8321"), sign, hosts=None) == 403
    for name in ("10.0.0.1:8321", "[2001:db8::1]:8321", "localhost:8321", "box", "box.home.example", "box.local"):
        page = ("origin", f"http://{name}") if sign[0] == "origin" else sign
        assert await ask(("host", name), page, hosts=None) == LET_IN, name
    assert await ask(("host", "box.evil.example"), sign, hosts=None) == 403


async def test_a_page_that_cors_names_may_use_any_name_there() -> None:
    named = CorsConfig(allow_origins=["https://app.example"])
    assert await ask(("host", "llama.lan"), ("origin", "https://app.example"), hosts=None, cors=named) == LET_IN
    assert await ask(("host", "llama.lan"), ("origin", "https://app.example"), hosts=[], cors=named) == 403


async def test_allowed_names_hold_whoever_asks() -> None:
    assert await ask(("host", "llama.lan"), ("user-agent", "curl/8"), hosts=["other.lan"]) == 403


async def test_cors_says_which_pages_may_come() -> None:
    local = CorsConfig.this_machine()
    assert await ask(HERE, ("origin", "http://localhost:3000"), cors=local, hosts=[]) == LET_IN
    assert await ask(HERE, ("origin", "http://localhost:3000.evil.example"), cors=local, hosts=[]) == 403
    named = CorsConfig(allow_origins=["https://app.example"])
    assert await ask(HERE, ("origin", "https://app.example"), cors=named, hosts=[]) == LET_IN
    assert await ask(HERE, ("origin", "https://app.example.evil"), cors=named, hosts=[]) == 403
    assert await ask(HERE, ("origin", "https://any.example"), cors=CorsConfig(allow_origins=["*"]), hosts=[]) == LET_IN


async def test_a_websocket_is_looked_at_too() -> None:
    assert await ask(HERE, ("origin", "https://evil.example"), hosts=[], type="websocket") == 403


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.2", True), ("::1", True), ("localhost", True), ("10.0.0.1", False), ("a.b", False)]
)
def test_what_only_this_machine_can_be(host: str, local: bool) -> None:
    assert is_this_machine(host) is local


async def test_what_is_remembered_of_callers_is_bounded() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        pass

    guard = OriginMiddleware(app, cors=CorsConfig(allow_origins=["*"]), hosts=None)
    long = b"a" * 10_000
    for number in range(1100):
        for headers in (
            {b"host": b"host%d.test" % number},
            {b"host": long + b"%d" % number},
            {b"host": b"localhost", b"origin": b"https://%b%d" % (long, number)},
        ):
            with serving(RequestContext(request_headers=headers)):
                scope: Any = {"type": "http", "http_version": "1.1", "headers": list(headers.items())}
                await guard(scope, None, None)  # type: ignore[arg-type]  # nothing else is looked at
    kept = [len(value) for key in guard._allowed for value in key[:2] if value]
    assert len(kept) == 1000 and max(kept) < 100
