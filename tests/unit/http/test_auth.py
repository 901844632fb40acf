"""How requests prove who sends them, and whose mistake it is when a vendor does not believe them."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web
from msgspec.structs import replace

from runtime import discovery
from runtime.conformance.contexts import provider_context
from runtime.conformance.upstream import Upstream, refusal
from runtime.context import RequestContext, current, serving
from runtime.errors import AuthenticationError, Unavailable, UpstreamRejected
from runtime.http.auth import Auth, Bearer, NamedHeader, QueryKey
from runtime.http.client import HttpClient
from runtime.http.keys import ProviderKeys
from runtime.http.transport import Key, Outgoing, json_request
from runtime.sse import Reply
from tests.support.calls import answering, chat, failure

OURS = "sk-our-configured-key"
THEIRS = "sk-the-caller-s-key"
OPENAI = next(spec for spec in discovery.built_in().specs if spec.provider_type == "remote::openai")


def keys(configured: str | None = OURS) -> ProviderKeys:
    return provider_context(OPENAI, key=configured).keys


def request(upstream: Upstream) -> Outgoing:
    return json_request(f"{upstream.url}/x", {"a": 1})


def bringing(key: object, name: str = "openai_api_key") -> RequestContext:
    return RequestContext(provider_data={name: key})


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (Bearer, "authorization", f"Bearer {OURS}"),
        (lambda keys: NamedHeader("X-Api-Key", keys), "x-api-key", OURS),
        (lambda keys: NamedHeader("authorization", keys, scheme="Token"), "authorization", f"Token {OURS}"),
    ],
)
async def test_a_key_goes_where_a_vendor_expects_it(
    upstream: Upstream, client: HttpClient, make: Callable[[ProviderKeys], Auth], name: str, value: str
) -> None:
    await (await client.with_auth(make(keys())).exchange(request(upstream))).close()
    assert upstream.seen[-1].headers[name] == value


@pytest.mark.parametrize(
    ("before", "after"),
    [("", "?k%2Fy=a%26b%20c"), ("?x=1", "?x=1&k%2Fy=a%26b%20c"), ("#part", "?k%2Fy=a%26b%20c#part")],
)
async def test_a_key_in_the_address_is_escaped(before: str, after: str) -> None:
    sent = await QueryKey("k/y", keys("a&b c")).apply(Outgoing(method="GET", url=f"http://vendor.example/{before}"))
    assert sent.url == f"http://vendor.example/{after}"


async def test_a_key_in_the_address_is_not_quoted(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = answering(lambda: refusal(400, "no such thing: /v1/x?key=sk%2Four-key"))
    error = await failure(client.with_auth(QueryKey("key", keys("sk/our-key"))).reply(request(upstream)))
    assert error.message == "`acme` answered 400: no such thing: /v1/x?key=********"


async def test_a_key_is_not_quoted_as_json_writes_it(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = answering(lambda: web.Response(status=400, text=r'{"reason": "sk\/our-key is not known"}'))
    error = await failure(client.with_auth(Bearer(keys("sk/our-key"))).reply(request(upstream)))
    assert error.message == '`acme` answered 400: {"reason": "******** is not known"}'


async def test_a_caller_s_key_comes_before_ours_for_its_request_alone(upstream: Upstream, client: HttpClient) -> None:
    asking = client.with_auth(Bearer(keys()))
    with serving(bringing(THEIRS)):
        await (await asking.exchange(request(upstream))).close()
    await (await asking.exchange(request(upstream))).close()
    assert [seen.headers["authorization"] for seen in upstream.seen] == [f"Bearer {THEIRS}", f"Bearer {OURS}"]


@pytest.mark.parametrize("make", [Bearer, lambda keys, required: QueryKey("key", keys, required=required)])
@pytest.mark.parametrize("required", [True, False])
async def test_a_missing_key_is_an_error_where_one_is_required(
    upstream: Upstream, client: HttpClient, make: Callable[..., Auth], required: bool
) -> None:
    asking = client.with_auth(make(keys(None), required=required))
    if required:
        with pytest.raises(AuthenticationError, match="provider `acme` has no key") as caught:
            await asking.exchange(request(upstream))
        assert caught.value.hint == "set OPENAI_API_KEY, or send `acme_api_key` in X-LlamaStack-Provider-Data"
        assert upstream.seen == []
    else:
        await (await asking.exchange(request(upstream))).close()
        assert "authorization" not in upstream.seen[-1].headers


@pytest.mark.parametrize("key", ["sk\nx-evil: 1", "schlüssel", 5, ["sk"]])
def test_what_no_header_can_hold_is_the_mistake_of_who_gave_it(key: object) -> None:
    with serving(bringing(key)), pytest.raises(AuthenticationError, match="`openai_api_key` in X-LlamaStack"):
        keys().get()


@pytest.mark.parametrize("blank", ["", " ", "\t", None])
def test_a_blank_key_is_none(blank: str | None) -> None:
    with serving(bringing(blank)):
        assert keys().get() == Key(value=OURS)
        assert keys(None).get() is None


def test_a_key_that_a_caller_brings_is_sent_without_the_blanks_around_it() -> None:
    with serving(bringing(f" {THEIRS}\n")):
        assert keys().get() == Key(value=THEIRS, is_callers=True)


def test_a_configured_key_that_no_header_can_hold_is_found_at_once() -> None:
    with pytest.raises(
        Unavailable, match="is not valid: it contains a special character, such as a line break"
    ) as caught:
        Bearer(keys("sk-one\nsk-two"))
    assert "sk" not in str(caught.value.body())


def test_a_key_is_shown_nowhere() -> None:
    context = provider_context(OPENAI, key=OURS)
    assert context.key() == Key(value=OURS)
    sent = Outgoing(method="GET", url=f"http://me:{OURS}@x/?key={OURS}", key=context.key())
    assert OURS not in f"{context!r} {context.key()!r} {sent!r}"


@pytest.mark.parametrize("address", ["", "http://[::1/x", "http://:80/", "gopher://x/", "http://x:99999/"])
async def test_a_key_in_the_address_is_in_no_traceback(client: HttpClient, address: str) -> None:
    """A log shows the cause of a failure, and aiohttp's errors quote the address."""

    async def sends_no_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"no HTTP\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(sends_no_http, "127.0.0.1", 0) as server:
        url = address or f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        error = await failure(client.with_auth(QueryKey("key", keys())).reply(Outgoing(method="GET", url=url)))
    assert OURS not in "".join(traceback.format_exception(error))


async def test_a_key_is_in_no_field_of_an_error(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = answering(lambda: refusal(400, OURS, param=OURS, code=OURS, type=f"bad {OURS}"))
    error = await failure(client.with_auth(Bearer(keys())).reply(request(upstream)))
    assert (error.param, error.code, error.type) == ("********", "********", "bad ********")
    assert OURS not in str(error.body())


async def test_a_key_is_not_shown_in_part(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = answering(lambda: web.Response(status=400, text=f"{' ' * 1990}{OURS}"))
    error = await failure(client.with_auth(Bearer(keys())).reply(request(upstream)))
    assert error.message == "`acme` answered 400: ********"


async def test_the_key_of_an_sdk_is_not_shown_whatever_its_scheme(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = answering(lambda: refusal(400, "no: sk-of-an-sdk, of req_abcdef"))
    sent = replace(request(upstream), headers={"authorization": "Api-Key sk-of-an-sdk"})
    with serving(RequestContext(request_id="req_abcdef")):
        assert (await failure(client.reply(sent))).message == "`acme` answered 400: no: ********, of req_abcdef"


async def test_a_header_that_cannot_be_sent_is_named(upstream: Upstream, client: HttpClient) -> None:
    error = await failure(client.reply(replace(request(upstream), headers={"x-note": "one\r\nx-evil: two"})))
    assert (
        error.message
        == "`acme` cannot be called: the header `x-note` contains a special character, such as a line break"
    )
    assert upstream.seen == []


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_of_the_caller_is_the_caller_s(upstream: Upstream, client: HttpClient, status: int) -> None:
    upstream.misbehaves = answering(lambda: refusal(status, f"Incorrect API key provided: {THEIRS}"))
    with serving(bringing(THEIRS)):
        error = await failure(client.with_auth(Bearer(keys())).reply(request(upstream)))
    assert isinstance(error, UpstreamRejected)
    assert (error.status, error.code) == (status, "upstream_refused_key")
    assert error.hint == "the key of provider `acme` was not accepted"
    assert error.message == f"`acme` answered {status}: Incorrect API key provided: ********"


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_of_ours_is_not_the_caller_s_fault(
    upstream: Upstream, client: HttpClient, status: int
) -> None:
    upstream.misbehaves = answering(lambda: refusal(status, f"no: {OURS}", code="invalid_api_key"))
    error = await failure(client.with_auth(Bearer(keys())).reply(request(upstream)))
    assert (error.status, error.code, error.upstream_status) == (502, "upstream_refused_key", status)
    assert error.message == f"`acme` answered {status}: no: ********"
    assert error.hint is not None and error.hint.endswith("not accepted: set OPENAI_API_KEY, or send `acme_api_key` in "
                                                          "X-LlamaStack-Provider-Data")  # fmt: skip
    assert error.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("url", ["{}", "http://me:hush-hush@{}"])
async def test_what_the_config_sends_beside_a_key_is_ours_as_well(
    upstream: Upstream, client: HttpClient, url: str
) -> None:
    """A user in the address, or an `Authorization` header of the network settings."""
    upstream.misbehaves = answering(lambda: refusal(401, "who?"))
    sent = chat(upstream)
    if "@" in url:
        sent = replace(sent, url=url.format(upstream.url.removeprefix("http://")), headers={})
    assert (await failure(client.reply(sent))).code == "upstream_refused_key"


async def test_without_any_key_a_401_says_how_to_give_one(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = answering(lambda: refusal(401, "You must provide a key", code="no_key"))
    error = await failure(client.with_auth(Bearer(keys(None))).reply(request(upstream)))
    assert (error.status, error.code) == (401, "no_key")
    assert error.hint == "set OPENAI_API_KEY, or send `acme_api_key` in X-LlamaStack-Provider-Data"


class Tokens:
    """An Auth with a token that has expired, and as many more as `left`."""

    hint = ""

    def __init__(self, left: int) -> None:
        self.left = left
        self.renewed: list[str] = []
        self._number = 0

    async def apply(self, request: Outgoing) -> Outgoing:
        token = f"token-{self._number}"
        return request.with_headers({"authorization": f"Bearer {token}"}, key=Key(value=token))

    async def renew(self, refused: Outgoing) -> bool:
        self.renewed.append(refused.headers["authorization"])
        self._number += 1
        self.left -= 1
        return self.left >= 0


async def test_credentials_that_expired_are_renewed_once_and_the_request_sent_again(
    upstream: Upstream, client: HttpClient
) -> None:
    upstream.key = "token-1"
    tokens = Tokens(left=5)
    await client.with_auth(tokens).reply(json_request(f"{upstream.url}/chat/completions", chat_body()))
    assert [seen.headers["authorization"] for seen in upstream.seen] == ["Bearer token-0", "Bearer token-1"]
    assert upstream.seen[0].raw == upstream.seen[1].raw
    assert tokens.renewed == ["Bearer token-0"]


@pytest.mark.parametrize(("left", "sendings"), [(0, 1), (5, 2)])
async def test_what_is_refused_again_is_not_sent_for_ever(
    upstream: Upstream, client: HttpClient, left: int, sendings: int
) -> None:
    upstream.key = "another"
    error = await failure(client.with_auth(Tokens(left)).reply(json_request(f"{upstream.url}/models", {})))
    assert (error.code, len(upstream.seen)) == ("upstream_refused_key", sendings)


class SlowTokens(Tokens):
    """all_wait: set when all of 8 calls that were refused wait for a new one. answer: it comes when this is set.
    in_nobodys_name: whether the renewal saw no caller's request.
    """

    def __init__(self, *, failure: Exception | None = None) -> None:
        super().__init__(left=100)
        self.all_wait, self.answer = asyncio.Event(), asyncio.Event()
        self._applied = 0
        self.failure = failure
        self.in_nobodys_name = True

    async def apply(self, request: Outgoing) -> Outgoing:
        self._applied += 1
        if self._applied == 2 * 8:  # to be sent, and after the refusal
            self.all_wait.set()
        return await super().apply(request)

    async def renew(self, refused: Outgoing) -> bool:
        self.in_nobodys_name &= not current().is_serving
        await self.answer.wait()
        if self.failure is not None:
            self.renewed.append("")
            raise self.failure
        return await super().renew(refused)


def eight_calls(upstream: Upstream, asking: HttpClient) -> list[asyncio.Task[Reply]]:
    with serving(RequestContext()):
        body = json_request(f"{upstream.url}/chat/completions", chat_body())
        return [asyncio.create_task(asking.reply(body)) for _ in range(8)]


async def test_calls_that_are_refused_at_once_share_one_renewal(upstream: Upstream, client: HttpClient) -> None:
    """Also where the one that began it has left."""
    upstream.key = "token-1"
    tokens = SlowTokens()
    asking = eight_calls(upstream, client.with_auth(tokens))
    await tokens.all_wait.wait()
    asking[0].cancel()
    tokens.answer.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(answer) for answer in answers] == [asyncio.CancelledError, *[Reply] * 7]
    assert (tokens.renewed, tokens.in_nobodys_name) == (["Bearer token-0"], True)


async def test_a_renewal_that_fails_fails_for_all_that_wait_for_it(upstream: Upstream, client: HttpClient) -> None:
    upstream.key = "token-1"
    tokens = SlowTokens(failure=Unavailable("no token"))
    asking = eight_calls(upstream, client.with_auth(tokens))
    await tokens.all_wait.wait()
    tokens.answer.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert [str(answer) for answer in answers] == ["no token"] * 8
    assert len(tokens.renewed) == 1


async def test_a_call_that_is_refused_after_a_renewal_takes_what_it_brought(
    upstream: Upstream, client: HttpClient
) -> None:
    tokens, late = Tokens(left=5), asyncio.Event()
    has_come = asyncio.Event()

    async def refuses_late(request: web.Request) -> web.StreamResponse:
        if request.headers["authorization"] == "Bearer token-1":
            return web.json_response({})
        if request.path.endswith("/late"):
            has_come.set()
            await late.wait()
        return refusal(401, "expired")

    upstream.misbehaves = refuses_late
    asking = client.with_auth(tokens)
    waiting = asyncio.create_task(asking.reply(json_request(f"{upstream.url}/late", {})))
    await has_come.wait()
    await asking.reply(request(upstream))
    late.set()
    assert (await waiting).data == b"{}"
    assert tokens.renewed == ["Bearer token-0"]


async def test_a_body_in_parts_is_not_sent_again(upstream: Upstream, client: HttpClient) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"gone"

    upstream.key = "token-1"
    tokens = Tokens(left=5)
    asking = client.with_auth(tokens)
    error = await failure(asking.reply(Outgoing(method="POST", url=f"{upstream.url}/files", body=parts())))
    assert (error.code, len(upstream.seen), len(tokens.renewed)) == ("upstream_refused_key", 1, 1)


async def test_clients_of_one_provider_share_connections_and_counters(upstream: Upstream, client: HttpClient) -> None:
    first, second = client.with_auth(Bearer(keys()), address="http://10.0.0.1/v1"), client.with_auth(Bearer(keys(None)))
    for one in (first, second, client):
        await (await one.exchange(request(upstream))).close()
    assert len(upstream.connections) == 1
    assert second.connections.is_near

    async def hangs_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        await asyncio.sleep(0)
        return web.Response()

    upstream.misbehaves = hangs_up
    await failure(first.reply(request(upstream)))
    assert client.connections.failed_calls == second.connections.failed_calls == 1


def test_a_provider_is_near_when_all_its_servers_are() -> None:
    client = HttpClient("acme")
    assert not client.connections.is_near  # nobody said where it is
    client.with_auth(Bearer(keys()), address="http://127.0.0.1:8000/v1")
    assert client.connections.is_near
    client.with_auth(Bearer(keys()), address="https://vendor.example/v1")
    assert not client.connections.is_near


def chat_body() -> dict[str, object]:
    return {"model": "small-chat", "messages": [{"role": "user", "content": "hello"}]}
