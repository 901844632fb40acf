"""Strangers' web pages: what a browser would send for them is refused, what everybody else sends is not."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.config.run_config import CorsConfig
from runtime.errors import AccessDenied
from runtime.server.middleware.origin import OriginMiddleware, is_this_machine


async def ask(headers: dict[str, str], *, cors: CorsConfig | None = None, hosts: list[str] | None = None) -> bool:
    """Whether the application behind the middleware was reached."""
    reached = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope)

    guard = OriginMiddleware(app, cors=cors, hosts=hosts)
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    try:
        await guard({"type": "http", "headers": raw}, None, None)  # type: ignore[arg-type]  # nothing else is looked at
    except AccessDenied:
        assert not reached
        return False
    return bool(reached)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "127.0.0.1:8321"},
        {"host": "localhost:8321"},
        {"host": "[::1]:8321"},
        {"host": "llama.localhost"},
        {"host": "127.0.0.1:8321", "origin": "http://127.0.0.1:8321"},
    ],
    ids=str,
)
async def test_clients_and_own_pages_are_let_in(headers: dict[str, str]) -> None:
    assert await ask(headers, hosts=[])


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example:8321"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "[nonsense"},
        {"host": "127.0.0.1:8321", "origin": "https://evil.example"},
        {"host": "127.0.0.1:8321", "origin": "http://localhost:3000"},
        {"host": "127.0.0.1:8321", "origin": "null"},
        {"host": "evil.example", "origin": "http://evil.example"},
    ],
    ids=str,
)
async def test_strangers_pages_are_kept_out(headers: dict[str, str]) -> None:
    assert not await ask(headers, hosts=[])


async def test_a_proxy_s_name_can_be_allowed() -> None:
    assert await ask({"host": "llama.example.com"}, hosts=["Llama.example.com"])
    assert not await ask({"host": "other.example.com"}, hosts=["llama.example.com"])


async def test_any_name_will_do_where_other_machines_may_come() -> None:
    assert await ask({"host": "llama.example.com"}, hosts=None)
    assert not await ask({"host": "llama.example.com", "origin": "https://evil.example"}, hosts=None)


async def test_cors_says_which_pages_may_come() -> None:
    local = CorsConfig.this_machine()
    host = {"host": "127.0.0.1:8321"}
    assert await ask({**host, "origin": "http://localhost:3000"}, cors=local, hosts=[])
    assert not await ask({**host, "origin": "http://localhost:3000.evil.example"}, cors=local, hosts=[])
    named = CorsConfig(allow_origins=["https://app.example"])
    assert await ask({**host, "origin": "https://app.example"}, cors=named, hosts=[])
    assert not await ask({**host, "origin": "https://app.example.evil"}, cors=named, hosts=[])
    assert await ask({**host, "origin": "https://any.example"}, cors=CorsConfig(allow_origins=["*"]), hosts=[])


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.2", True), ("::1", True), ("localhost", True), ("10.0.0.1", False), ("a.b", False)]
)
def test_what_only_this_machine_can_be(host: str, local: bool) -> None:
    assert is_this_machine(host) is local
