"""A vendor's limits and waits in headers: which of them our client sees, and what they mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runtime.conformance.stacks import run_config
from runtime.conformance.upstream import Upstream, refusal
from runtime.context import RequestContext
from runtime.context import serving as serving_request
from runtime.http import limits
from runtime.http.auth import Bearer
from runtime.http.client import HttpClient
from runtime.http.keys import ProviderKeys
from runtime.http.transport import Outgoing
from tests.support.calls import SECRET, answering, chat, failure
from tests.support.stacks import openai_at, serving

SENT = Outgoing(method="GET", url="http://acme.example/", headers={"x-request-id": "req_1"})
VENDORS = {
    "X-RateLimit-Limit-Requests": "60",
    "x-ratelimit-remaining-tokens-minute": "149984",
    "anthropic-ratelimit-tokens-remaining": "7",
    "RateLimit": '"default";r=50;t=30',
    "x-tokenlimit-limit": "9",
    "llm_provider-x-ratelimit-reset-requests": "1s",
    "Retry-After": "2",
}


def asked(*, stream: bool) -> dict[str, Any]:
    return {"model": "vendor/small-chat", "messages": [{"role": "user", "content": "hi"}], "stream": stream}


WHOLE = b'{"object":"chat.completion","choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}]}'
EVENTS = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_client_sees_the_vendor_s_limits_and_request_id(
    upstream: Upstream, tmp_path: Path, stream: bool
) -> None:
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        headers = {**VENDORS, "x-request-id": "theirs", "x-powered-by": "acme"}
        upstream.misbehaves = answering(lambda: web.Response(body=EVENTS if stream else WHOLE, headers=headers))
        answer = await served.client.post("/v1/chat/completions", asked(stream=stream))
    assert answer.status == 200
    assert answer.headers.items() >= {name.lower(): value for name, value in VENDORS.items()}.items()
    assert answer.headers["x-llama-upstream-request-id"] == "theirs"
    assert answer.headers["x-request-id"].startswith("req_")
    assert "x-powered-by" not in answer.headers


async def test_a_client_sees_them_on_a_refusal_too(upstream: Upstream, tmp_path: Path) -> None:
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        headers = {**VENDORS, "retry-after": "3600", "request-id": "theirs", "x-should-retry": "false"}
        upstream.misbehaves = answering(lambda: refusal(429, "slow down", headers=headers))
        answer = await served.client.post("/v1/chat/completions", asked(stream=False))
    assert answer.status == 429
    assert answer.headers["x-ratelimit-limit-requests"] == "60"
    assert (answer.headers["retry-after"], answer.headers["x-should-retry"]) == ("3600", "false")
    assert answer.headers["x-llama-upstream-request-id"] == "theirs"


def test_our_own_id_that_comes_back_is_not_the_vendor_s() -> None:
    assert limits.passed_on({"X-Request-Id": "req_1", "cf-ray": "x"}, SENT) == {}
    assert limits.passed_on({"x-request-id": "a", "request-id": "b"}, SENT) == {limits.REQUEST_ID: "a"}


def test_headers_without_end_do_not_reach_our_client() -> None:
    """Node refuses an answer with more than 16 kB of headers."""
    assert limits.passed_on({"x-ratelimit-policy": "x" * 5000, f"x-ratelimit-{'x' * 5000}": "1"}, SENT) == {}
    found = limits.passed_on({f"x-ratelimit-{number:052}": "x" * 256 for number in range(100)}, SENT)
    assert sum(len(name) + len(value) + len(": \r\n") for name, value in found.items()) < 11_000


@pytest.mark.parametrize("status", [200, 429])
async def test_a_key_that_a_vendor_puts_into_a_header_is_not_passed_on(upstream: Upstream, status: int) -> None:
    headers = {"x-ratelimit-key": SECRET, "request-id": f"acme-{SECRET}", "x-ratelimit-limit": "6", "retry-after": "60"}
    upstream.misbehaves = answering(lambda: web.Response(body=WHOLE, status=status, headers=headers))
    keys = ProviderKeys("acme", ("acme_api_key",), configured=SECRET, hint="set ACME_API_KEY")
    client = HttpClient("acme").with_auth(Bearer(keys))
    with serving_request(RequestContext()) as context:
        try:
            if status == 200:
                await client.reply(chat(upstream))
                given = context.headers
            else:
                given = (await failure(client.reply(chat(upstream)))).headers
        finally:
            await client.close()
    assert given == {"x-ratelimit-limit": "6", "retry-after": "60"}


async def test_our_own_id_in_a_refusal_is_not_the_vendor_s(upstream: Upstream, client: HttpClient) -> None:
    async def refusing(request: web.Request) -> web.StreamResponse:
        return refusal(400, "no", headers={"x-request-id": request.headers["x-request-id"]})

    upstream.misbehaves = refusing
    assert (await failure(client.reply(chat(upstream)))).headers == {}


def test_names_without_end_are_not_kept() -> None:
    for number in range(limits._MAX_NAMES + 10):
        limits.passed_on({f"x-{number}": "", f"x-{number}-{'x' * 5000}": ""}, SENT)
    assert len(limits._sent_as) <= limits._MAX_NAMES
    assert max(map(len, limits._sent_as)) <= 64


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "1 minute"}, None),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}, 0.0),
        ({"retry-after": "Sun, 06 Nov 99999999999999999999 08:49:37 GMT"}, None),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:37 +99999999999999"}, None),
    ],
    ids=str,
)
def test_a_wait_is_read_in_each_form(headers: dict[str, str], wait_s: float | None) -> None:
    assert limits.wait_s(headers) == wait_s


def test_a_date_is_a_wait() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    assert 500 < (limits.wait_s({"retry-after": date}) or 0) <= 600


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-ratelimit-limit-req-minute": "0"}, None),  # Mistral: the plan does not have the model
        ({}, "insufficient_quota"),
        ({}, "1113"),
    ],
)
async def test_a_limit_that_waiting_does_not_raise_says_so(
    upstream: Upstream, client: HttpClient, headers: dict[str, str], code: str | None
) -> None:
    upstream.misbehaves = answering(lambda: refusal(429, "no", code=code, headers={**headers, "retry-after": "1"}))
    error = await failure(client.reply(chat(upstream)))
    assert (error.status, error.headers["x-should-retry"]) == (429, "false")
    assert error.hint is not None and "waiting does not help" in error.hint


@pytest.mark.parametrize("header", ["x-ratelimit-remaining-requests", "x-ratelimit-reset-tokens"])
def test_a_limit_that_is_used_up_is_not_a_limit_of_0(header: str) -> None:
    assert not limits.is_hopeless({header: "0"}, None)
