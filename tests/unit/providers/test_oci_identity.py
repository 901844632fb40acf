"""A machine of Oracle's signs with a token that it gets for its certificate."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from runtime.errors import Unavailable
from runtime.http.client import HttpClient
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing, host_header, json_request
from runtime.providers._vendors.oci.identity import OciSignature
from tests.support import oci
from tests.support.answers import Answering

SERVICE = "https://inference.generativeai.eu-frankfurt-1.oci.oraclecloud.com/20231130/actions/v1/chat/completions"
AUTH = "auth.eu-frankfurt-1.oraclecloud.com"


class Oracle:
    """Its metadata server, its exchange of certificates, and a service. served: what the service said of each
    signature; looks, exchanges: how often the others were asked.
    """

    def __init__(self, machine: oci.Machine) -> None:
        self.machine = machine
        self.is_there = True
        self.served: list[str] = []
        self.exchanges = self.looks = 0

    def answer(self, request: Outgoing, timeouts: Timeouts) -> tuple[int, Any]:
        parts, body = urlsplit(request.url), request.body or b""
        assert isinstance(body, bytes)
        if parts.hostname == "169.254.169.254":
            assert timeouts.connect_s <= 1 and (timeouts.total_s or 60) <= 5
            self.looks += 1
            told = self.machine.tells(parts.path, request.headers) if self.is_there else None
            return (404, {}) if told is None else (200, told)
        headers = {**request.headers, "host": host_header(request.url), "content-length": str(len(body))}
        if parts.hostname == AUTH:
            self.exchanges += 1
            return self.machine.exchange(headers, body)
        why = oci.refused(self.machine.issued, request.method, parts.path, headers, body, host=True)
        self.served.append(why or "accepted")
        return (401, {"code": "NotAuthenticated", "message": why}) if why else (200, {"ok": True})


@pytest.fixture(scope="module")
def machine() -> oci.Machine:
    return oci.Machine()


@pytest.fixture
def oracle(machine: oci.Machine) -> Oracle:
    machine.asked.clear()
    machine.issued.clear()
    machine.lives_s = 1200.0
    return Oracle(machine)


def signing(oracle: Oracle) -> HttpClient:
    http = HttpClient("oci", transport=Answering(oracle.answer))
    signature = OciSignature(
        "instance_principal", http, provider_id="oci", file=Path("none"), profile="DEFAULT", env={}
    )
    return http.with_auth(signature)


async def asked(http: HttpClient) -> Any:
    return await http.value(json_request(SERVICE, {"model": "m"}))


async def test_a_machine_s_token_is_got_once_for_all(oracle: Oracle) -> None:
    http = signing(oracle)
    async with asyncio.timeout(30):
        assert await asyncio.gather(*(asked(http) for _ in range(10))) == [{"ok": True}] * 10
    assert oracle.exchanges == 1
    assert set(oracle.machine.asked) == {
        "/opc/v2/instance/regionInfo", "/opc/v2/identity/cert.pem", "/opc/v2/identity/key.pem",
        "/opc/v2/identity/intermediate.pem",
    }  # fmt: skip


async def test_a_token_that_is_refused_is_got_anew(oracle: Oracle) -> None:
    http = signing(oracle)
    async with asyncio.timeout(30):
        assert await asked(http) == {"ok": True}
        oracle.machine.issued.clear()
        assert await asked(http) == {"ok": True}
    assert (oracle.exchanges, oracle.served[-1]) == (2, "accepted")


async def test_a_token_that_expires_is_got_anew_before(oracle: Oracle) -> None:
    oracle.machine.lives_s = -1.0
    http = signing(oracle)
    async with asyncio.timeout(30):
        await asked(http)
        await asked(http)
    assert oracle.exchanges == 2 and oracle.served == ["accepted"] * 2


async def test_what_is_no_machine_of_oracle_s_is_asked_once(oracle: Oracle) -> None:
    oracle.is_there = False
    http = signing(oracle)
    for _ in range(3):
        with pytest.raises(Unavailable) as raised:
            await asked(http)
        assert "no machine of Oracle's" in raised.value.message
        assert "`oci setup config`" in (raised.value.hint or "")
    assert (oracle.looks, oracle.served) == (1, [])


async def test_a_machine_that_gets_no_token_says_why(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    denied = (401, {"code": "NotAuthenticated", "message": "the dynamic group does not match"})
    monkeypatch.setattr(oracle.machine, "exchange", lambda headers, body: denied)
    with pytest.raises(Unavailable) as raised:
        await asked(signing(oracle))
    assert "the dynamic group does not match" in raised.value.message
