"""Tokens that are found when they are needed: once for all, before they expire, and again after a refusal."""

from __future__ import annotations

import asyncio
import json
import logging
from base64 import urlsafe_b64encode

import pytest
from aiohttp import web

from runtime import discovery
from runtime.conformance.contexts import provider_context
from runtime.conformance.upstream import Upstream, refusal
from runtime.context import RequestContext, serving
from runtime.errors import Unavailable, UpstreamError
from runtime.http import expiring
from runtime.http.client import HttpClient
from runtime.http.tokens import Token, TokenBearer, expiry_of
from runtime.http.transport import json_request
from tests.support.calls import failure

OPENAI = next(spec for spec in discovery.built_in().specs if spec.provider_type == "remote::openai")


class Issuer:
    """Gives `token-1`, `token-2`, ... each valid for an hour of its clock, or fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000_000.0
        self.life_s: float | None = 3600.0
        self.asked = 0
        self.fails = False
        monkeypatch.setattr(expiring, "wall_time", lambda: self.now)

    async def find(self) -> Token:
        self.asked += 1
        await asyncio.sleep(0)
        if self.fails:
            raise Unavailable("the issuer is gone")
        expires_at = None if self.life_s is None else self.now + self.life_s
        return Token(value=f"token-{self.asked}", expires_at=expires_at, source="the account `a`")


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Issuer:
    return Issuer(monkeypatch)


def bearer(issuer: Issuer, *, key: str | None = None) -> TokenBearer:
    return TokenBearer(provider_context(OPENAI, key=key).keys, issuer.find, hint="run `cloud login`")


async def sent(upstream: Upstream, asking: HttpClient) -> str:
    await (await asking.exchange(json_request(f"{upstream.url}/x", {"a": 1}))).close()
    return str(upstream.seen[-1].headers["authorization"])


async def test_one_is_found_for_all_who_need_it(upstream: Upstream, client: HttpClient, issuer: Issuer) -> None:
    asking = client.with_auth(bearer(issuer))
    assert await asyncio.gather(*(sent(upstream, asking) for _ in range(20))) == ["Bearer token-1"] * 20
    assert issuer.asked == 1


@pytest.mark.parametrize(("life_s", "kept_s"), [(3600.0, 3299.0), (100.0, 49.0)])
async def test_another_is_found_before_it_expires(
    upstream: Upstream, client: HttpClient, issuer: Issuer, life_s: float, kept_s: float
) -> None:
    issuer.life_s = life_s
    asking = client.with_auth(bearer(issuer))
    assert await sent(upstream, asking) == "Bearer token-1"
    issuer.now += kept_s
    assert await sent(upstream, asking) == "Bearer token-1"
    issuer.now += 2
    assert await sent(upstream, asking) == "Bearer token-2"


async def test_one_without_an_end_is_kept(upstream: Upstream, client: HttpClient, issuer: Issuer) -> None:
    issuer.life_s = None
    asking = client.with_auth(bearer(issuer))
    assert await sent(upstream, asking) == "Bearer token-1"
    issuer.now += 1e9
    assert await sent(upstream, asking) == "Bearer token-1"


async def test_one_that_is_valid_is_used_while_there_is_no_other(
    upstream: Upstream, client: HttpClient, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    asking = client.with_auth(bearer(issuer))
    await sent(upstream, asking)
    issuer.fails = True
    issuer.now += 3500
    with caplog.at_level(logging.WARNING):
        assert await sent(upstream, asking) == "Bearer token-1"
    assert "credentials not renewed" in caplog.text
    asked = issuer.asked
    assert await sent(upstream, asking) == "Bearer token-1"
    assert issuer.asked == asked, "nobody waits for another failure at once"
    issuer.now += 25
    assert await sent(upstream, asking) == "Bearer token-1"
    assert issuer.asked == asked + 1
    issuer.now += 100
    with pytest.raises(Unavailable, match="the issuer is gone"):
        await sent(upstream, asking)


async def test_one_that_was_refused_is_replaced_once_for_all(
    upstream: Upstream, client: HttpClient, issuer: Issuer
) -> None:
    async def refuses_the_first(request: web.Request) -> web.StreamResponse | None:
        return refusal(401, "expired") if request.headers["authorization"].endswith("token-1") else None

    upstream.misbehaves = refuses_the_first
    asking = client.with_auth(bearer(issuer))
    assert await asyncio.gather(*(sent(upstream, asking) for _ in range(5)))
    assert issuer.asked == 2
    assert await sent(upstream, asking) == "Bearer token-2"


async def test_a_refusal_that_stays_says_whose_the_token_is(
    upstream: Upstream, client: HttpClient, issuer: Issuer
) -> None:
    async def refuses(request: web.Request) -> web.StreamResponse:
        return refusal(401, "no such user")

    upstream.misbehaves = refuses
    error = await failure(client.with_auth(bearer(issuer)).reply(json_request(f"{upstream.url}/x", {"a": 1})))
    assert isinstance(error, UpstreamError) and issuer.asked == 2
    assert "the account `a`" in (error.hint or "")
    assert "token-" not in str(error)


@pytest.mark.parametrize("whose", ["config", "caller"])
async def test_a_key_comes_before_tokens(upstream: Upstream, client: HttpClient, issuer: Issuer, whose: str) -> None:
    asking = client.with_auth(bearer(issuer, key="sk-fixed" if whose == "config" else None))
    with serving(RequestContext(provider_data={"openai_api_key": "sk-theirs"} if whose == "caller" else {})):
        assert await sent(upstream, asking) == ("Bearer sk-theirs" if whose == "caller" else "Bearer sk-fixed")
    assert issuer.asked == 0


@pytest.mark.parametrize(
    ("claims", "expires_at"),
    [
        ({"exp": 1_000_000}, 1e6),
        ({"exp": 1.5}, 1.5),
        ({"exp": True}, None),
        ({"exp": "1"}, None),
        ({}, None),
        ([], None),
    ],
)
def test_a_token_says_itself_when_it_expires(claims: object, expires_at: float | None) -> None:
    payload = urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    assert expiry_of(f"eyJhbGciOiJIUzI1NiJ9.{payload}.c2ln") == expires_at


@pytest.mark.parametrize("token", ["", "x", "a.b", "a.!!.c", "a.YQ.c", "ä.ä.ä", "a..c"])
def test_what_is_no_token_says_nothing(token: str) -> None:
    assert expiry_of(token) is None
