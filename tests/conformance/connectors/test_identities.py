"""As whom servers are asked, what a refusal says of that, and that no credential is seen anywhere."""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import HTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from runtime.access import User
from runtime.errors import (
    AccessDenied,
    AuthenticationError,
    RequestError,
    StackError,
    Unavailable,
    UpstreamError,
    UpstreamRejected,
)
from tests.conformance.connectors.asking import Asking, Known, asking, caller
from tests.support.mcp_server import RunningMcp
from tests.support.small_server import SmallHandler, running, url_of

SECRET = "tok-0123456789-secret"


def known(server: RunningMcp, identity: str) -> Known:
    return Known(id="crm", facts={"url": server.url, "identity": identity, "server_label": "the crm"})


async def seen_by(
    server: RunningMcp, connectors: Asking, connector: Known | None = None, **more: Any
) -> dict[str, str]:
    """The headers of a call, as the server has them."""
    await connectors.call("add", {"a": 1, "b": 1}, connector, **more)
    return [one.headers for one in server.asked if one.method == "tools/call"][-1]


async def test_nobody_is_named_by_default(connectors: Asking, newest: RunningMcp) -> None:
    with caller(token=SECRET):
        assert "authorization" not in await seen_by(newest, connectors.at(newest.url))
        assert "authorization" not in await seen_by(newest, connectors, known(newest, "none"))


async def test_the_callers_own_token_is_passed_through(connectors: Asking, newest: RunningMcp) -> None:
    with caller(token=SECRET):
        assert (await seen_by(newest, connectors, known(newest, "caller")))["authorization"] == f"Bearer {SECRET}"
    with caller(token="another-callers"):
        assert (await seen_by(newest, connectors, known(newest, "caller")))["authorization"] == "Bearer another-callers"
    assert connectors.left[0] == 2, "two callers share no session"
    with caller(), pytest.raises(AuthenticationError, match="the caller's own token, and the request has none"):
        await connectors.tools(known(newest, "caller"))


async def test_the_callers_token_is_not_sent_to_what_another_user_has_named(newest: RunningMcp) -> None:
    mine, other = User(principal="me"), User(principal="another")
    facts = {"url": newest.url, "identity": "caller"}
    async with asking(allow_private_addresses=True) as connectors:
        theirs = Known(id="theirs", source="registered", owner=other, facts=facts)
        with caller(token=SECRET, user=mine), pytest.raises(AccessDenied, match="another user"):
            await connectors.tools(theirs)
        assert newest.asked == []
        with caller(token=SECRET, user=mine):
            assert "add" in await connectors.names(theirs, authorization="meant-for-it")
        with caller(token=SECRET, user=other):
            assert "add" in await connectors.names(theirs)


async def test_what_a_request_brings_wins(newest: RunningMcp) -> None:
    stack = {"stack": {"type": "headers", "headers": {"X-Key": SECRET, "X-Other": "kept-as-it-is"}}}
    async with asking(identities=stack) as connectors:
        crm = known(newest, "stack")
        seen = await seen_by(newest, connectors, crm)
        assert (seen["x-key"], seen["x-other"]) == (SECRET, "kept-as-it-is")
        seen = await seen_by(newest, connectors, crm, headers={"X-Key": "mine"})
        assert (seen["x-key"], seen["x-other"]) == ("mine", "kept-as-it-is")
        seen = await seen_by(newest, connectors, crm, authorization="my-own-token")
        assert seen["authorization"] == "Bearer my-own-token" and "x-key" not in seen


async def test_headers_for_an_address_come_with_the_providers_data(connectors: Asking, newest: RunningMcp) -> None:
    mine = {"mcp_headers": {f"{newest.url}/": {"X-Mine": "yes"}, "http://other.example/mcp": {"X-Other": "no"}}}
    with caller(provider_data=mine):
        seen = await seen_by(newest, connectors.at(newest.url))
    assert seen["x-mine"] == "yes" and "x-other" not in seen


@pytest.mark.parametrize("headers", [{"Mcp-Session-Id": "x"}, {"Content-Length": "3"}, {"X-A": f"{SECRET}\r\nX-B: y"}])
async def test_headers_that_cannot_be_sent_are_refused(connectors: Asking, headers: dict[str, str]) -> None:
    with pytest.raises(RequestError) as caught:
        await connectors.at("http://127.0.0.1:1/").tools(headers=headers)
    assert SECRET not in caught.value.message


async def test_a_refusal_says_as_whom_the_server_was_asked(newest: RunningMcp) -> None:
    newest.wants = "Bearer something-else"
    stack = {"stack": {"type": "bearer", "token": SECRET}}
    async with asking(identities=stack) as connectors:

        async def refused(connector: Known, **more: Any) -> UpstreamError:
            with pytest.raises(UpstreamError) as caught:
                await connectors.tools(connector, **more)
            assert "`the crm` answered 401" in caught.value.message
            assert SECRET not in json.dumps(caught.value.body()) and caught.value.upstream_status == 401
            return caught.value

        ours = await refused(known(newest, "stack"))
        assert (ours.status, ours.code) == (502, "upstream_refused_key") and "identity `stack`" in ours.message
        none = await refused(known(newest, "none"))
        assert none.status == 401 and "identity `none`" in none.message and "`authorization`" in str(none.hint)
        with caller(token=SECRET):
            callers = await refused(known(newest, "caller"))
        assert isinstance(callers, UpstreamRejected) and callers.status == 401
        assert "the caller's own token" in callers.message
        brought = await refused(known(newest, "none"), authorization=SECRET)
        assert brought.status == 401 and "credentials of the request" in brought.message
        assert connectors.left == (0, 0)


async def test_an_identity_that_is_not_there_is_named_with_those_that_are(connectors: Asking) -> None:
    crm = Known(id="crm", facts={"url": "http://127.0.0.1:1/", "identity": "stak"})
    with pytest.raises(Unavailable, match="`stak`") as caught:
        await connectors.tools(crm)
    assert "`caller`" in str(caught.value.hint)


class TokenEndpoint(SmallHandler):
    """Gives a token for each client or subject; each is another one."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self.server.asked.append((form, self.headers.get("authorization")))  # type: ignore[attr-defined]
        if form.get("subject_token") == "unknown-token":
            self.document({"error": "invalid_grant", "error_description": body}, status=400)
            return
        number = len(self.server.asked)  # type: ignore[attr-defined]
        self.document({"access_token": f"given-token-{number}", "token_type": "Bearer", "expires_in": 3600})


@pytest.fixture
def endpoint() -> Iterator[Any]:
    server: Any = HTTPServer(("127.0.0.1", 0), TokenEndpoint)
    server.asked = []
    with running(server):
        yield server


def exchanging(endpoint: HTTPServer, kind: str, **more: Any) -> dict[str, Any]:
    url = f"{url_of(endpoint)}/token"
    return {"stack": {"type": kind, "token_url": url, "client_id": "us", "client_secret": SECRET} | more}


async def test_a_token_for_this_stack_is_asked_for_once(newest: RunningMcp, endpoint: Any) -> None:
    async with asking(identities=exchanging(endpoint, "client_credentials", scope="read")) as connectors:
        for _ in range(2):
            assert (await seen_by(newest, connectors, known(newest, "stack")))[
                "authorization"
            ] == "Bearer given-token-1"
    [(form, authorization)] = endpoint.asked
    assert form == {"grant_type": "client_credentials", "scope": "read"}
    assert authorization == f"Basic {b64encode(f'us:{SECRET}'.encode()).decode()}"


async def test_a_callers_token_is_exchanged_once_for_each_caller(newest: RunningMcp, endpoint: Any) -> None:
    async with asking(identities=exchanging(endpoint, "token_exchange", audience="crm")) as connectors:
        for token, given in (("of-one", 1), ("of-another", 2), ("of-one", 1)):
            with caller(token=token):
                seen = await seen_by(newest, connectors, known(newest, "stack"))
            assert seen["authorization"] == f"Bearer given-token-{given}"
        form, _ = endpoint.asked[0]
        assert form == {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": "of-one",
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "audience": "crm",
        }
        with caller(token="unknown-token"), pytest.raises(AuthenticationError) as caught:
            await connectors.tools(known(newest, "stack"))
        assert "unknown-token" not in str(caught.value.body()) and "identity `stack`" in caught.value.message


async def test_a_token_that_is_no_longer_accepted_is_replaced(newest: RunningMcp, endpoint: Any) -> None:
    async with asking(identities=exchanging(endpoint, "client_credentials")) as connectors:
        await seen_by(newest, connectors, known(newest, "stack"))
        newest.wants = "Bearer given-token-2"
        assert (await seen_by(newest, connectors, known(newest, "stack")))["authorization"] == "Bearer given-token-2"
        newest.wants = "Bearer another"
        with pytest.raises(UpstreamError, match="identity `stack`"):
            await connectors.call("add", {"a": 1, "b": 1}, known(newest, "stack"))


async def test_a_token_endpoint_that_is_down_is_named(newest: RunningMcp) -> None:
    identity = {"type": "client_credentials", "token_url": "http://127.0.0.1:1/token", "client_id": "us"}
    async with asking(identities={"stack": identity}) as connectors:
        with pytest.raises(StackError, match="token endpoint") as caught:
            await connectors.tools(known(newest, "stack"))
        assert caught.value.status == 503
        assert newest.asked == []


async def test_no_credential_is_in_a_log_an_error_or_a_result(
    newest: RunningMcp, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stack = {"stack": {"type": "bearer", "token": SECRET}}
    async with asking(identities=stack) as connectors:
        crm = known(newest, "stack")
        text = (await connectors.call("headers", {}, crm)).content[0]["text"]
        assert json.loads(text)["authorization"] == "********", "the server told it"
        assert repr(crm.facts) and SECRET not in repr(connectors.adapter.__dict__)
        newest.wants = "Bearer x"
        with pytest.raises(UpstreamError):
            await connectors.call("add", {"a": 1, "b": 1}, crm)
        newest.wants, newest.status = None, 500
        with pytest.raises(UpstreamError) as caught:
            await connectors.call("add", {"a": 1, "b": 1}, crm)
        assert SECRET not in json.dumps(caught.value.body())
    assert SECRET not in caplog.text


@asynccontextmanager
async def repeating(shape: str, method: str) -> AsyncIterator[str]:
    """A server that answers one method with the token that it was sent, in what is no message of MCP. Its address."""

    async def answer(request: web.Request) -> web.Response:
        asked = await request.json() if request.method == "POST" else {}
        token = request.headers["authorization"].removeprefix("Bearer ")
        if asked.get("method") == method:
            return web.Response(text=shape % token, content_type="application/json")
        if "id" not in asked:
            return web.Response(status=202 if asked else 405)
        info = {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "a", "version": ""},
        }
        known = asked["method"] == "initialize"
        said = {"result": info} if known else {"error": {"code": -32601, "message": "unknown"}}
        return web.json_response({"jsonrpc": "2.0", "id": asked["id"], **said})

    app = web.Application()
    app.router.add_route("*", "/mcp", answer)
    async with TestServer(app, host="127.0.0.1") as server:
        yield str(server.make_url("/mcp"))


@pytest.mark.parametrize("method", ["initialize", "tools/list"])
@pytest.mark.parametrize("shape", ["%s", '"%s"', '{"a": "%s"}'])
async def test_no_part_of_a_credential_is_told_of_an_answer_that_cannot_be_read(shape: str, method: str) -> None:
    token = "".join(f"{number:02d}-" for number in range(40))
    async with (
        repeating(shape, method) as url,
        asking(identities={"stack": {"type": "bearer", "token": token}}) as connectors,
    ):
        with pytest.raises(UpstreamError, match="no message of MCP") as caught:
            await connectors.tools(Known(id="crm", facts={"url": url, "identity": "stack"}))
    told = json.dumps(caught.value.body())
    assert "00-01-" not in told and "38-39-" not in told


async def test_no_credential_is_told_of_a_stream_that_is_none() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(headers={"content-type": f"text/{request.headers['authorization'].split()[1]}"})

    app = web.Application()
    app.router.add_get("/sse", answer)
    async with (
        TestServer(app, host="127.0.0.1") as server,
        asking(identities={"stack": {"type": "bearer", "token": SECRET}}) as connectors,
    ):
        facts = {"url": str(server.make_url("/sse")), "identity": "stack", "transport": "sse"}
        with pytest.raises(UpstreamError) as caught:
            await connectors.tools(Known(id="crm", facts=facts))
    assert SECRET not in json.dumps(caught.value.body())
