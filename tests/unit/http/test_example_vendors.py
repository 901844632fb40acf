"""Two vendors that want other proofs than a bearer's key, each in one file, with the real adapter over real HTTP."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Callable
from types import ModuleType

import pytest
import pytest_asyncio
from aiohttp import web

from runtime import discovery
from runtime.apis.inference.protocol import ChatCompletionRequest
from runtime.conformance.contexts import provider_context
from runtime.conformance.upstream import CHAT_MODEL, Misbehaviour, Upstream, refusal
from runtime.context import RequestContext, serving
from runtime.errors import AuthenticationError, UpstreamError
from runtime.http.client import HttpClient
from runtime.providers.inference._openai_compatible.adapter import OpenAICompatibleInference
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig
from runtime.sse import EventStream, Reply
from tests.support.examples import vendor_header_auth, vendor_signed

KEY = "sk-example-key"
REQUEST = {"model": CHAT_MODEL, "messages": [{"role": "user", "content": "hé"}]}
Make = Callable[[ModuleType, str | None], OpenAICompatibleInference]
Wants = Callable[[str, Upstream], Misbehaviour]


@pytest_asyncio.fixture
async def make(upstream: Upstream) -> AsyncIterator[Make]:
    """Makes a vendor's adapter, with this key in its config."""
    client = HttpClient("acme")

    def made(vendor: ModuleType, key: str | None) -> OpenAICompatibleInference:
        adapter: type[OpenAICompatibleInference] = discovery.load(vendor.SPEC.adapter, package=vendor.__name__)
        return adapter(
            OpenAICompatibleConfig(base_url=upstream.url), provider_context(vendor.SPEC, http=client, key=key)
        )

    yield made
    await client.close()


def wants_header(key: str, upstream: Upstream) -> Misbehaviour:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.headers.get("x-vendor-key") != key or "authorization" in request.headers:
            return refusal(401, "no x-vendor-key")
        return await upstream._answer(request, await request.read())

    return answer


def wants_signature(key: str, upstream: Upstream) -> Misbehaviour:
    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        signed = vendor_signed.signature(
            key, method=request.method, path=request.path, date=request.headers["date"], body=body
        )
        if not hmac.compare_digest(request.headers.get("authorization", ""), f"HMAC-SHA256 {signed}"):
            return refusal(403, "the signature does not match")
        return await upstream._answer(request, body)

    return answer


@pytest.mark.parametrize(
    ("vendor", "wants"),
    [(vendor_header_auth, wants_header), (vendor_signed, wants_signature)],
    ids=["header", "signed"],
)
async def test_a_vendor_with_another_proof_serves(
    upstream: Upstream, make: Make, vendor: ModuleType, wants: Wants
) -> None:
    upstream.misbehaves = wants(KEY, upstream)
    adapter = make(vendor, KEY)
    assert [model.provider_model_id for model in await adapter.list_models()] == upstream.models
    reply = await adapter.chat_completion(ChatCompletionRequest.model_validate(REQUEST))
    assert isinstance(reply, Reply) and reply.value()["object"] == "chat.completion"
    stream = await adapter.chat_completion(ChatCompletionRequest.model_validate({**REQUEST, "stream": True}))
    assert isinstance(stream, EventStream)
    assert [event async for frames in stream for event in frames.events()]
    assert all(KEY not in str(seen.headers) or vendor is vendor_header_auth for seen in upstream.seen)


@pytest.mark.parametrize(
    ("vendor", "wants", "status"),
    [(vendor_header_auth, wants_header, 401), (vendor_signed, wants_signature, 403)],
    ids=["header", "signed"],
)
async def test_another_key_is_refused_as_whose_it_is(
    upstream: Upstream, make: Make, vendor: ModuleType, wants: Wants, status: int
) -> None:  # fmt: skip
    upstream.misbehaves = wants(KEY, upstream)
    request = ChatCompletionRequest.model_validate(REQUEST)
    adapter = make(vendor, "sk-another-key")
    with pytest.raises(UpstreamError) as ours:
        await adapter.chat_completion(request)
    assert (ours.value.status, ours.value.code) == (502, "upstream_refused_key")
    with serving(RequestContext(provider_data={"acme_api_key": "sk-a-third-key"})):
        with pytest.raises(UpstreamError) as theirs:
            await adapter.chat_completion(request)
        assert theirs.value.status == status
    with serving(RequestContext(provider_data={"acme_api_key": KEY})):
        assert isinstance(await adapter.chat_completion(request), Reply)


@pytest.mark.parametrize("vendor", [vendor_header_auth, vendor_signed], ids=["header", "signed"])
async def test_without_a_key_nothing_is_sent(upstream: Upstream, make: Make, vendor: ModuleType) -> None:
    adapter = make(vendor, None)
    with pytest.raises(AuthenticationError, match="has no key"):
        await adapter.chat_completion(ChatCompletionRequest.model_validate(REQUEST))
    assert (upstream.seen, (await adapter.check_health()).state) == ([], "needs-key")
