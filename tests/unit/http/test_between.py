"""What stands between a provider's request and its server: what it is given, and what its failures count as."""

from __future__ import annotations

import pytest

from runtime.context import RequestContext, serving
from runtime.errors import UpstreamError, UpstreamRejected, UpstreamUnreachable
from runtime.http.auth import Bearer
from runtime.http.client import HttpClient
from runtime.http.keys import ProviderKeys
from runtime.http.network import Network
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Exchange, GoOn, Outgoing
from tests.support.answers import Answer

ASKED = Outgoing(method="GET", url="http://up.example/v1/models")


class Standing:
    """A `Between` that answers itself. answer: raised where it is an error."""

    def __init__(self, answer: Exchange | Exception) -> None:
        self.answer = answer
        self.seen: list[Outgoing] = []

    async def __call__(self, request: Outgoing, go_on: GoOn) -> Exchange:
        self.seen.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_it_knows_how_long_the_provider_waits_for_an_answer() -> None:
    standing = Standing(Answer(200, b"{}"))
    network = Network.model_validate({"timeout": {"read": 7}})
    client = HttpClient("acme", network=network, between=standing).with_auth(
        Bearer(ProviderKeys("acme", ("k",), configured=None, hint=""), required=False), timeouts=Timeouts(connect_s=3)
    )
    await client.reply(ASKED)
    [seen] = standing.seen
    assert seen.timeouts is not None and (seen.timeouts.connect_s, seen.timeouts.read_s) == (3, 7)


async def test_a_server_that_it_does_not_let_be_reached_counts_as_down() -> None:
    standing = Standing(UpstreamUnreachable("`acme` cannot be reached", provider_id="acme"))
    client = HttpClient("acme", between=standing)
    with pytest.raises(UpstreamUnreachable):
        await client.reply(ASKED)
    assert client.connections.failed_calls == 1
    standing.answer = Answer(200, b"{}")
    await client.reply(ASKED)
    assert client.connections.failed_calls == 1


@pytest.mark.parametrize("caller_s", [False, True])
async def test_whose_key_it_refuses_is_told(caller_s: bool) -> None:
    standing = Standing(Answer(401, b'{"error": {"message": "no"}}'))
    keys = ProviderKeys("acme", ("acme_api_key",), configured="sk-configured", hint="set ACME_API_KEY")
    client = HttpClient("acme", between=standing).with_auth(Bearer(keys))
    with (
        serving(RequestContext(provider_data={"acme_api_key": "sk-caller"} if caller_s else {})),
        pytest.raises(UpstreamError) as raised,
    ):
        await client.reply(ASKED)
    assert isinstance(raised.value, UpstreamRejected) is caller_s
    assert raised.value.status == (401 if caller_s else 502)


async def test_those_for_other_servers_send_again_after_the_same_failures() -> None:
    client = HttpClient("acme")
    client.connections.retries.repeats = lambda _: False
    others = client.for_others(only_public=False, are_given=False)
    assert others.connections.retries.repeats is client.connections.retries.repeats
    assert others.connections.retries is not client.connections.retries
