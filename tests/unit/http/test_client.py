"""The one way out, against a real local server that fails in every way a vendor does."""

from __future__ import annotations

import asyncio
import gzip
import logging
import re
import socket

import pytest
from aiohttp import web

from runtime.addresses import place_of
from runtime.conformance.upstream import Upstream, refusal
from runtime.context import RequestContext, serving
from runtime.errors import StackError, UpstreamRejected, UpstreamTimeout
from runtime.http.auth import NoAuth
from runtime.http.client import HttpClient
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing
from runtime.telemetry.trace_context import parsed
from tests.support.calls import HEADERS, SECRET, answering, chat, failure


async def test_a_request_arrives_as_it_was_meant(upstream: Upstream, client: HttpClient) -> None:
    with serving(RequestContext(request_id="req_7")):
        await client.reply(chat(upstream))
    (seen,) = upstream.seen
    assert (seen.method, seen.headers["content-type"], seen.headers["authorization"]) == (
        "POST",
        "application/json",
        f"Bearer {SECRET}",
    )
    assert seen.headers["x-request-id"] == "req_7"
    assert seen.headers["user-agent"] == "llama-stack"
    assert seen.headers["accept-encoding"] == "identity"  # bodies are passed on, so nothing compressed is asked for
    assert seen.json()["messages"] == [{"role": "user", "content": "hello"}]


@pytest.mark.parametrize(
    ("status", "type", "code"),
    [
        (400, "invalid_request_error", "context_length_exceeded"),
        (404, "invalid_request_error", "model_not_found"),
        (409, "conflict", None),
        (413, "too_large", "x"),
        (422, "unprocessable", None),
        (429, "tokens", "rate_limit_exceeded"),
    ],
)
async def test_a_vendor_s_4xx_is_passed_on_with_its_words(
    upstream: Upstream, client: HttpClient, status: int, type: str, code: str | None
) -> None:
    upstream.misbehaves = answering(
        lambda: refusal(status, "the vendor's words", type=type, param="p", code=code, headers={"retry-after": "3"})
    )
    error = await failure(client.reply(chat(upstream)))
    assert isinstance(error, UpstreamRejected)
    assert (error.status, error.upstream_status, error.type, error.param) == (status, status, type, "p")
    assert error.code == (code or "upstream_error")
    assert error.message == f"`acme` answered {status}: the vendor's words"
    assert error.headers == {"retry-after": "3"}


@pytest.mark.parametrize(
    ("answered", "ours"), [(500, 502), (501, 502), (502, 502), (503, 503), (504, 504), (520, 502), (529, 503)]
)
async def test_a_vendor_s_failure_is_never_a_500_of_ours(
    upstream: Upstream, client: HttpClient, answered: int, ours: int
) -> None:
    upstream.misbehaves = answering(
        lambda: refusal(answered, "on fire", type="server_error", headers={"Retry-After": "9"})
    )
    error = await failure(client.reply(chat(upstream)))
    assert (error.status, error.upstream_status) == (ours, answered)
    assert error.headers == {"retry-after": "9"}
    assert isinstance(error, UpstreamTimeout) == (answered == 504)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": "plain words"}', "plain words"),
        (b'{"detail": "FastAPI\'s words"}', "FastAPI's words"),
        (b'{"message": "spread out", "code": 7}', "spread out"),
        (b'{"detail": [{"loc": ["body"], "msg": "no"}]}', "no"),
        (b'{"error": {"message": {"nested": 1}}}', '{"error": {"message": {"nested": 1}}}'),
        (b"<html>nginx</html>", "<html>nginx</html>"),
        (b"", "no reason given"),
        (b"\xff\xfe", "��"),
        (gzip.compress(b'{"error": "packed"}', mtime=0), "bytes that are not text"),
        (b'{"error": true, "message": "flagged"}', "flagged"),
        (b'{"error": ["listed"]}', '{"error": ["listed"]}'),
    ],
)
async def test_every_way_to_word_an_error_is_understood(
    upstream: Upstream, client: HttpClient, body: bytes, words: str
) -> None:
    upstream.misbehaves = answering(lambda: web.Response(status=400, body=body))
    assert (await failure(client.reply(chat(upstream)))).message == f"`acme` answered 400: {words}"


async def test_an_error_s_body_is_read_only_so_far(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = answering(lambda: web.Response(status=400, body=b"x" * 10_000_000))
    assert len((await failure(client.reply(chat(upstream)))).message) < 600


async def test_an_error_whose_body_breaks_off_keeps_its_status(upstream: Upstream, client: HttpClient) -> None:
    async def breaks_off(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(status=429, headers={"content-length": "1000"})
        await answer.prepare(request)
        await answer.write(b"slow down")
        assert request.transport is not None
        request.transport.abort()
        return answer

    upstream.misbehaves = breaks_off
    assert (await failure(client.reply(chat(upstream)))).status == 429


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirection_is_not_followed(upstream: Upstream, client: HttpClient, status: int) -> None:
    upstream.misbehaves = answering(
        lambda: web.Response(
            status=status, headers={"location": f"{upstream.url.replace('http://', 'http://me:pw@')}/else?key=1"}
        )
    )
    error = await failure(client.reply(chat(upstream)))
    assert error.status == 502
    assert error.message == f"`acme` answered {status}, a redirection to {upstream.url}/else"
    assert len(upstream.seen) == 1


async def test_a_refused_connection_is_a_503_that_names_the_place(client: HttpClient) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://me:{SECRET}@127.0.0.1:{free.getsockname()[1]}/v1/models?key={SECRET}"
    error = await failure(client.reply(Outgoing(method="GET", url=url)))
    assert (error.status, error.code) == (503, "upstream_unreachable")
    assert error.message.endswith("/v1/models: Connection refused")
    assert "me" not in error.message.split("at ")[1].split("/v1")[0]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "localhost:8000/v1",
        "http://",
        "ftp://127.0.0.1/x",
        "http://127.0.0.1:99999/",
        f"postgresql://me:{SECRET}@127.0.0.1/v1",
        f"me:{SECRET}@127.0.0.1/v1",
        f"http://me:pw/{SECRET}@pw@127.0.0.1/v1",
        f"http://me:pw?{SECRET}@127.0.0.1/v1",
        f"http://me:{SECRET}@[::1/v1",
    ],
)
async def test_what_is_no_address_is_a_502_that_says_so_and_shows_no_password(client: HttpClient, url: str) -> None:
    error = await failure(client.reply(Outgoing(method="GET", url=url)))
    assert (error.status, error.code) == (502, "upstream_unreachable")
    assert "http://" in (error.hint or "")


def test_an_address_is_shown_without_what_is_nobody_s_business() -> None:
    assert place_of("http://me:pw@host:80/v1/x?key=1#a") == "http://host:80/v1/x"
    assert place_of("http://host/v1/@cf/x") == "http://host/v1/@cf/x"
    assert place_of("http://me:12/pw@host/v1") == "http://host/v1"
    assert place_of("http://m/e:pw@host/v1") == "http://host/v1"
    assert place_of("http://host/v1?at=12:00&mail=a@b") == "http://host/v1"
    assert place_of("http://[::1]:80/v1") == "http://[::1]:80/v1"
    assert place_of("host:80/v1") == "host:80/v1"


async def test_silence_before_the_answer_is_a_504(upstream: Upstream, client: HttpClient) -> None:
    silence = asyncio.Event()

    async def says_nothing(_: web.Request) -> web.StreamResponse:
        await silence.wait()
        return web.Response()

    upstream.misbehaves = says_nothing
    request = Outgoing(method="GET", url=upstream.url, timeouts=Timeouts(connect_s=1, read_s=0.05))
    error = await failure(client.reply(request))
    assert (error.status, error.code) == (504, "upstream_timeout")


async def test_a_server_that_hangs_up_is_a_502(upstream: Upstream, client: HttpClient) -> None:
    async def hangs_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    upstream.misbehaves = hangs_up
    assert (await failure(client.reply(chat(upstream)))).status == 502


async def cut_midway(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"content-type": "application/json", "content-length": "1000"})
    await answer.prepare(request)
    await answer.write(b'{"id": ')
    assert request.transport is not None
    request.transport.abort()
    return answer


async def test_a_body_that_breaks_off_is_a_502(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = cut_midway
    error = await failure(client.reply(chat(upstream)))
    assert (error.status, error.message) == (502, f"`acme` broke off its answer ({upstream.url}/chat/completions)")


@pytest.mark.parametrize(
    "body",
    [
        b"<html>hotel login</html>",
        b"",
        b"[1]",
        gzip.compress(b"{}", mtime=0),
        b'{"cut": ',
        b'{"a":[}',
        b'{"logprob": NaN}',
        b'{"error": null, "logprob": 1e999}',
        b'{"error": null, "created": ' + b"9" * 5000 + b"}",
    ],
    ids=lambda body: str(body[:40]),
)
async def test_a_reply_that_is_no_json_object_is_a_502(upstream: Upstream, client: HttpClient, body: bytes) -> None:
    upstream.misbehaves = answering(lambda: web.Response(body=body))
    assert (await failure(client.reply(chat(upstream)))).status == 502


@pytest.mark.parametrize("call", ["reply", "value"])
async def test_the_time_in_which_an_answer_s_body_arrives_is_not_ours(
    upstream: Upstream, client: HttpClient, call: str
) -> None:
    async def slow_body(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await asyncio.sleep(0.1)
        await answer.write(b"{}")
        return answer

    upstream.misbehaves = slow_body
    with serving(RequestContext()) as context:
        await getattr(client, call)(chat(upstream))
    assert context.timing.first_byte()[1] >= 95


async def test_an_error_under_a_status_of_success_is_an_error(upstream: Upstream, client: HttpClient) -> None:
    said = {"error": {"message": "no credit left", "code": 402}}
    upstream.misbehaves = answering(lambda: web.json_response(said))
    error = await failure(client.reply(chat(upstream)))
    assert (error.status, error.message) == (402, "`acme` answered 402: no credit left")
    upstream.misbehaves = answering(lambda: web.json_response({"error": "overloaded"}))
    assert (await failure(client.reply(chat(upstream)))).message.endswith("overloaded")


async def test_a_reply_is_passed_on_byte_for_byte(upstream: Upstream, client: HttpClient) -> None:
    body = b' {"a" : 1.10, "unknown":"\\u00e9", "error": null, "text": "\\"error\\": 1" }\n'
    upstream.misbehaves = answering(lambda: web.Response(body=body))
    assert (await client.reply(chat(upstream))).data == body


async def test_cancelling_a_call_ends_it_upstream(upstream: Upstream, client: HttpClient) -> None:
    arrived = asyncio.Event()

    async def waits(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await asyncio.Event().wait()
        raise AssertionError

    upstream.misbehaves = waits
    call = asyncio.create_task(client.reply(chat(upstream)))
    await arrived.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    async with asyncio.timeout(5):
        await upstream.ended_early.wait()


async def test_cookies_of_a_vendor_are_not_kept(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = answering(lambda: web.json_response({}, headers={"set-cookie": "session=1; Path=/"}))
    await client.reply(chat(upstream))
    await client.reply(chat(upstream))
    assert "cookie" not in upstream.seen[1].headers


async def test_nothing_secret_is_logged(
    upstream: Upstream, client: HttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await client.reply(chat(upstream))
        upstream.misbehaves = answering(lambda: refusal(401, f"bad key {SECRET}"))
        with pytest.raises(StackError):
            await client.reply(chat(upstream))
    assert SECRET not in caplog.text
    assert SECRET not in repr(chat(upstream))


async def test_long_headers_of_an_answer_are_read(upstream: Upstream, client: HttpClient) -> None:
    policy = "default-src " + "x" * 30_000
    upstream.misbehaves = answering(lambda: web.json_response({}, headers={"content-security-policy": policy}))
    assert (await client.reply(chat(upstream))).data == b"{}"


@pytest.mark.parametrize("encoding", ["identity", "utf-8", "none", ""])
async def test_an_answer_that_is_not_compressed_is_read_whatever_it_says(
    upstream: Upstream, client: HttpClient, encoding: str
) -> None:
    upstream.misbehaves = answering(
        lambda: web.Response(body=b"\xef\xbb\xbf{}", headers={"content-encoding": encoding})
    )
    assert (await client.reply(chat(upstream))).data == b"{}"


async def test_a_compressed_answer_is_named(upstream: Upstream, client: HttpClient) -> None:
    packed = gzip.compress(b"{}")
    upstream.misbehaves = answering(lambda: web.Response(body=packed, headers={"content-encoding": "gzip"}))
    assert "content encoding `gzip`" in (await failure(client.reply(chat(upstream)))).message


async def test_no_content_is_named(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = answering(lambda: web.Response(status=204))
    assert "status 204 and no content" in (await failure(client.reply(chat(upstream)))).message


async def test_a_page_in_place_of_an_answer_is_quoted_without_the_key(upstream: Upstream, client: HttpClient) -> None:
    page = f"<html>\n <b>Sign in</b> {'.' * 480} {SECRET}"
    upstream.misbehaves = answering(lambda: web.Response(text=page, content_type="text/html"))
    error = await failure(client.reply(chat(upstream)))
    assert "(text/html; charset=utf-8): <html> <b>Sign in</b>" in error.message
    assert SECRET[:8] not in error.message


@pytest.mark.parametrize("said", ["not me:hush%21hush", "no hush!hush", "no hush%21hush", "Basic bWU6aHVzaCFodXNo"])
async def test_the_password_of_an_address_is_not_quoted(upstream: Upstream, client: HttpClient, said: str) -> None:
    upstream.misbehaves = answering(lambda: refusal(401, said))
    url = upstream.url.replace("://", "://me:hush%21hush@") + "/chat/completions"
    error = await failure(client.reply(Outgoing(method="POST", url=url, body=b"{}")))
    assert "********" in error.message
    assert not re.search("hush|bWU6", error.message)


async def test_an_empty_content_encoding_is_none(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = answering(lambda: web.Response(text="{}", headers={"content-encoding": ""}))
    assert (await client.reply(chat(upstream))).data == b"{}"


def test_the_server_of_each_client_with_a_key_is_known() -> None:
    http = HttpClient("acme")
    one = http.with_auth(NoAuth(), address="https://me:hush@api.acme.example:443/v1")
    other = http.with_auth(NoAuth(), address="http://[::1]:8000")
    nameless = http.with_auth(NoAuth())
    broken = http.with_auth(NoAuth(), address="http://acme.example:port")
    assert http.by_server() == {"https://api.acme.example": one, "http://[::1]:8000": other}
    assert (one.address, nameless.address, broken.address[-4:]) == (
        "https://me:hush@api.acme.example:443/v1",
        "",
        "port",
    )
    assert one.for_others(only_public=False, are_given=False).by_server() == {}
    del one
    assert "https://api.acme.example" not in http.by_server()


@pytest.mark.parametrize("has_key", [True, False])
async def test_the_user_of_an_address_is_sent_where_there_is_no_key(
    upstream: Upstream, client: HttpClient, caplog: pytest.LogCaptureFixture, has_key: bool
) -> None:
    url = upstream.url.replace("://", "://me:hush@") + "/chat/completions"
    body = chat(upstream).body
    headers = {"content-type": "application/json", **(HEADERS if has_key else {})}
    for _ in range(2):
        await client.reply(Outgoing(method="POST", url=url, headers=headers, body=body))
    sent = upstream.seen[0].headers["authorization"]
    assert sent == (HEADERS["authorization"] if has_key else "Basic bWU6aHVzaA==")
    assert [record.levelname for record in caplog.records] == (["WARNING"] if has_key else [])
    assert "hush" not in caplog.text


async def test_the_caller_s_trace_is_passed_on(upstream: Upstream, client: HttpClient) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with serving(RequestContext(trace=parsed(trace.encode()))):
        await client.reply(chat(upstream))
    await client.reply(chat(upstream))
    assert [seen.headers.get("traceparent") for seen in upstream.seen] == [trace, None]


@pytest.mark.parametrize("choices", ["null", '"abc"', "{}", "[null]", "[[]]", "7"])
async def test_an_answer_without_a_list_of_objects_is_none(
    upstream: Upstream, client: HttpClient, choices: str
) -> None:
    body = f'{{"id": "x", "choices": {choices}}}'
    upstream.misbehaves = answering(lambda: web.Response(text=body, content_type="application/json"))
    error = await failure(client.reply(chat(upstream), objects="choices"))
    assert error.status == 502 and "with no list of objects as `choices` in its JSON" in error.message
    assert (await client.reply(chat(upstream), objects="")).data == body.encode()
