"""Who a provider calls Azure as: an application, the app or machine that it runs on, or a user."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from runtime.clock import wall_time
from runtime.errors import Unavailable
from runtime.http.client import HttpClient
from runtime.providers._vendors.azure import cli
from runtime.providers._vendors.azure.identity import Application, AzureIdentity
from tests.support.azure import CLIENT, HEADER, PROOF, RESOURCE, SCOPE, SECRET, TENANT, AzureServer, azure_server


@pytest_asyncio.fixture
async def server() -> AsyncIterator[AzureServer]:
    async with azure_server() as running:
        yield running


class World:
    """env: all variables that there are."""

    def __init__(self, server: AzureServer) -> None:
        self.http = HttpClient("gpt")
        self.env = {"AZURE_AUTHORITY_HOST": server.url, "AZURE_POD_IDENTITY_AUTHORITY_HOST": server.url, "PATH": ""}

    def identity(self, **given: Any) -> AzureIdentity:
        return AzureIdentity(Application(scope=SCOPE, **given), self.http, provider_id="gpt", env=self.env)


@pytest_asyncio.fixture
async def world(server: AzureServer) -> AsyncIterator[World]:
    made = World(server)
    yield made
    await made.http.close()


async def test_an_application_has_a_secret(world: World, server: AzureServer) -> None:
    token = await world.identity(tenant_id=TENANT, client_id=CLIENT, client_secret=SecretStr(SECRET)).token()
    assert (token.value, token.source) == ("token-1", f"the application `{CLIENT}`")
    assert token.expires_at is not None and 3500 < token.expires_at - wall_time() < 3700
    world.env |= {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": SECRET}
    assert (await world.identity().token()).value == "token-2"
    assert server.paths == [f"/{TENANT}/oauth2/v2.0/token"] * 2


async def test_an_application_has_another_issuers_token_in_a_file(world: World, tmp_path: Path) -> None:
    file = tmp_path / "token"
    world.env |= {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_FEDERATED_TOKEN_FILE": str(file)}
    with pytest.raises(Unavailable, match="cannot be read: No such file"):
        await world.identity().token()
    file.write_text(f"{PROOF}\n")
    assert (await world.identity().token()).value == "token-1"


@pytest.mark.parametrize(("name", "value"), [("client_secret", "another"), ("client_id", "nobody")])
async def test_what_entra_refuses_is_said_without_the_secret(world: World, name: str, value: str) -> None:
    given: dict[str, Any] = {"tenant_id": TENANT, "client_id": CLIENT, "client_secret": SECRET, name: value}
    given["client_secret"] = SecretStr(given["client_secret"])
    with pytest.raises(Unavailable, match=r"gets no token: .*AADSTS") as raised:
        await world.identity(**given).token()
    assert SECRET not in str(raised.value) and "another" not in str(raised.value)


async def test_an_app_has_an_identity(world: World, server: AzureServer) -> None:
    world.env |= {"IDENTITY_ENDPOINT": f"{server.url}/msi/token", "IDENTITY_HEADER": HEADER}
    token = await world.identity().token()
    assert token.expires_at is not None and token.expires_at - wall_time() > 80_000
    world.env["IDENTITY_HEADER"] = "wrong"
    with pytest.raises(Unavailable, match="the managed identity gets no token"):
        await world.identity().token()


async def test_a_machine_has_an_identity(world: World, server: AzureServer) -> None:
    token = await world.identity().token()
    assert token.expires_at is not None and 3500 < token.expires_at - wall_time() < 3700
    with pytest.raises(Unavailable, match=r"the managed identity `other` gets no token: .*Identity not found"):
        await world.identity(client_id="other").token()


async def test_what_is_no_machine_of_azures_is_not_asked_again_at_once(world: World, server: AzureServer) -> None:
    server.has_machine = False
    identity = world.identity()
    for _ in range(3):
        with pytest.raises(Unavailable, match="has no identity of Azure") as raised:
            await identity.token()
    assert "az login" in (raised.value.hint or "")
    assert len(server.paths) == 1


AZ = """#!/bin/sh
[ "$*" = "account get-access-token --output json --resource {resource}{tenant}" ] || {{ echo "$*" >&2; exit 2; }}
{then}
"""
SAYS = 'echo \'{"accessToken": "of-a-user", "expires_on": 4102444800, "expiresOn": "2100-01-01", "tenant": "t"}\''


def install(world: World, folder: Path, then: str, tenant: str = "") -> None:
    """The command of Azure's."""
    command = folder / "az"
    command.write_text(AZ.format(resource=RESOURCE, tenant=tenant, then=then))
    command.chmod(0o755)
    world.env["PATH"] = f"{folder}:/usr/bin:/bin"


@pytest.mark.parametrize("status", [410, 429, 500])
async def test_a_machine_that_says_nothing_for_now_has_an_identity_and_no_user_is_asked_in_its_place(
    world: World, server: AzureServer, tmp_path: Path, status: int
) -> None:
    install(world, tmp_path, SAYS)
    identity, server.refuses = world.identity(), status
    with pytest.raises(Unavailable, match="the managed identity gets no token"):
        await identity.token()
    server.refuses = None
    assert (await identity.token()).value == "token-1"


@pytest.mark.parametrize("tenant", ["", TENANT])
async def test_a_user_has_signed_on(world: World, server: AzureServer, tmp_path: Path, tenant: str) -> None:
    server.has_identity = False
    install(world, tmp_path, SAYS, f" --tenant {tenant}" if tenant else "")
    token = await world.identity(tenant_id=tenant or None).token()
    assert (token.value, token.expires_at, token.source) == ("of-a-user", 4102444800.0, "the user of `az login`")


@pytest.mark.parametrize(
    ("then", "message"),
    [
        ("echo 'Please run az login to set up an account' >&2; exit 1", "Please run az login"),
        ("exit 3", "it failed"),
        ("echo '[]'", "answered no token"),
        ('echo \'{"tokenType": "Bearer"}\'', "answered no token"),
        ("echo '{\"accessToken\": null}'", "answered no token"),
    ],
)
async def test_a_user_who_has_not_is_told(
    world: World, server: AzureServer, tmp_path: Path, then: str, message: str
) -> None:
    server.has_machine = False
    install(world, tmp_path, then)
    with pytest.raises(Unavailable, match=message):
        await world.identity().token()


@pytest.mark.parametrize(
    ("given", "env", "message"),
    [
        ({"tenant_id": TENANT, "client_secret": SecretStr(SECRET)}, {}, "`client_secret` without `client_id`"),
        ({}, {"AZURE_CLIENT_SECRET": SECRET}, "`client_secret` without `tenant_id` and `client_id`"),
        (
            {"tenant_id": TENANT, "client_id": CLIENT},
            {"AZURE_CLIENT_CERTIFICATE_PATH": "/key.pem"},
            "AZURE_CLIENT_CERTIFICATE_PATH names a certificate",
        ),
    ],
)
async def test_nobody_else_is_asked_for_where_an_application_is_meant(
    world: World, server: AzureServer, tmp_path: Path, given: dict[str, Any], env: dict[str, str], message: str
) -> None:
    install(world, tmp_path, SAYS, f" --tenant {TENANT}" if given else "")
    world.env |= env
    with pytest.raises(Unavailable, match=message):
        await world.identity(**given).token()
    assert server.paths == []


async def test_a_command_that_cannot_be_run_is_told(world: World, server: AzureServer, tmp_path: Path) -> None:
    server.has_machine = False
    install(world, tmp_path, SAYS)
    (tmp_path / "az").write_bytes(b"\x00no program")
    with pytest.raises(Unavailable, match="az` cannot be run"):
        await world.identity().token()


async def test_a_command_that_hangs_is_given_up(
    world: World, server: AzureServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.has_machine = False
    monkeypatch.setattr(cli, "_LIMIT_S", 0.1)
    install(world, tmp_path, "exec sleep 60")
    with pytest.raises(Unavailable, match="said nothing"):
        await world.identity().token()
