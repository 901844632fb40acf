"""Calls of a provider's client to the vendor at wire level, and how they fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from runtime.conformance.upstream import Upstream
from runtime.errors import UpstreamError
from runtime.http.client import HttpClient
from runtime.http.network import Network
from runtime.http.transport import Outgoing, json_request

SECRET = "sk-very-secret-key"
HEADERS = {"authorization": f"Bearer {SECRET}"}


def answering(make: Callable[[], web.StreamResponse]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        return make()

    return answer


def chat(upstream: Upstream, *, stream: bool = False, **facts: object) -> Outgoing:
    body = {"model": "small-chat", "messages": [{"role": "user", "content": "hello"}], "stream": stream, **facts}
    return json_request(f"{upstream.url}/chat/completions", body, headers=HEADERS)


async def failure(work: Awaitable[object]) -> UpstreamError:
    """The error that a call of the provider `acme` ends in, which shows no key."""
    with pytest.raises(UpstreamError) as caught:
        await work
    assert SECRET not in str(caught.value.body())
    assert caught.value.provider_id == "acme"
    return caught.value


@asynccontextmanager
async def reaching(**settings: Any) -> AsyncIterator[HttpClient]:
    """A provider's client whose config has this `network`."""
    client = HttpClient("acme", network=Network.model_validate(settings))
    try:
        yield client
    finally:
        await client.close()
