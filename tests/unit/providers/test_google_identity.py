"""Who a provider calls Google as: where its token is from, in which order, and what is said where there is none."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.clock import wall_time
from runtime.errors import Unavailable
from runtime.http.client import HttpClient
from runtime.providers._vendors.google.identity import GoogleIdentity
from tests.support.google import EMAIL, SUBJECT_TOKEN, GoogleServer, google_server


@pytest_asyncio.fixture
async def server() -> AsyncIterator[GoogleServer]:
    async with google_server() as running:
        yield running


class World:
    """One provider's identity. env: all variables that there are."""

    def __init__(self, folder: Path, server: GoogleServer) -> None:
        self.folder, self.server = folder, server
        self.http = HttpClient("vertex")
        self.env = {"HOME": str(folder), "NO_GCE_CHECK": "true"}

    def write(self, given: Any, name: str = "given.json") -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(given if isinstance(given, str) else json.dumps(given))
        return file

    def identity(self, file: Path | None = None) -> GoogleIdentity:
        return GoogleIdentity(self.http, provider_id="vertex", file=file, env=self.env)

    def on_machine(self) -> None:
        del self.env["NO_GCE_CHECK"]
        self.env["GCE_METADATA_HOST"] = self.server.url.removeprefix("http://")


@pytest_asyncio.fixture
async def world(tmp_path: Path, server: GoogleServer) -> AsyncIterator[World]:
    made = World(tmp_path, server)
    yield made
    await made.http.close()


async def test_a_service_account_signs_who_it_is(world: World) -> None:
    began = wall_time()
    identity = world.identity(world.write(world.server.service_account))
    token = await identity.token()
    assert (token.value, token.source) == ("token-1", f"the service account `{EMAIL}`")
    assert token.expires_at is not None and 3500 < token.expires_at - began < 3700
    assert (await identity.project(), identity.quota_project) == ("my-project", None)
    assert "token-1" not in repr(token)


async def test_a_user_names_the_project_that_pays(world: World) -> None:
    world.env["GOOGLE_APPLICATION_CREDENTIALS"] = str(world.write(world.server.user))
    identity = world.identity()
    assert (await identity.token()).value == "token-1"
    assert (await identity.project(), identity.quota_project) == ("paying-project", "paying-project")


@pytest.mark.parametrize(
    ("kind", "content"),
    [("file", SUBJECT_TOKEN), ("json", json.dumps({"value": SUBJECT_TOKEN})), ("url", "")],
)
@pytest.mark.parametrize("takes_on", [False, True])
async def test_another_provider_s_token_is_exchanged(world: World, kind: str, content: str, takes_on: bool) -> None:
    form = {"type": "json", "subject_token_field_name": "value"}
    source: dict[str, Any] = {"file": str(world.write(content, "subject"))}
    if kind == "json":
        source["format"] = form
    elif kind == "url":
        headers = {"Authorization": "bearer request-token"}
        source = {"url": f"{world.server.url}/subject", "headers": headers, "format": form}
    more = {"service_account_impersonation_url": world.server.impersonation_url} if takes_on else {}
    given = world.server.federation(source, client_id="client", client_secret="secret", **more)
    token = await world.identity(world.write(given)).token()
    assert token.value == ("token-2" if takes_on else "token-1")
    assert token.expires_at is not None and token.expires_at > wall_time() + 3000
    assert (EMAIL in token.source) is takes_on


async def test_a_user_takes_on_a_service_account(world: World) -> None:
    given = {
        "type": "impersonated_service_account",
        "source_credentials": world.server.user,
        "service_account_impersonation_url": world.server.impersonation_url,
    }
    assert (await world.identity(world.write(given)).token()).value == "token-2"


async def test_the_machine_s_account_is_asked_last(world: World) -> None:
    world.on_machine()
    identity = world.identity()
    token = await identity.token()
    assert (token.value, token.source) == ("token-1", "the machine's service account")
    assert await identity.project() == "machine-project"
    usual = world.write(world.server.user, ".config/gcloud/application_default_credentials.json")
    asked = len(world.server.paths)
    assert identity.file() == usual and (await identity.token()).value == "token-2"
    assert world.server.paths[asked:] == ["/token"]
    world.env["GOOGLE_APPLICATION_CREDENTIALS"] = str(world.write(world.server.service_account))
    assert EMAIL in (await identity.token()).source
    named = world.write(world.server.user, "named.json")
    assert world.identity(named).file() == named


async def test_what_is_no_machine_of_google_s_is_not_asked_again_at_once(world: World) -> None:
    world.on_machine()
    world.server.is_machine = False
    identity = world.identity()
    for _ in range(3):
        with pytest.raises(Unavailable, match="has no credentials of Google") as raised:
            await identity.token()
    assert await identity.project() is None
    assert world.server.paths == ["/computeMetadata/v1/instance/zone"]
    assert "gcloud auth application-default login" in (raised.value.hint or "")


async def test_nothing_is_asked_where_the_user_says_that_there_is_no_machine(world: World) -> None:
    world.env["GCE_METADATA_HOST"] = world.server.url.removeprefix("http://")
    with pytest.raises(Unavailable):
        await world.identity().token()
    assert world.server.paths == []


async def test_a_machine_without_a_service_account_says_so(world: World) -> None:
    world.on_machine()
    world.server.has_account = False
    with pytest.raises(Unavailable, match="the machine's service account gets no token"):
        await world.identity().token()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("{", "has no credentials of Google"),
        ("[]", "has no credentials of Google"),
        ({"type": "gdch_service_account"}, "of the kind `gdch_service_account`, which is not known"),
        ({"type": "service_account"}, "`client_email` is missing"),
        ({"type": "service_account", "client_email": "a@b"}, "`private_key` is missing"),
        (
            {"type": "service_account", "client_email": "a@b", "private_key": "-----BEGIN PRIVATE KEY-----"},
            "`private_key` of .* cannot be read",
        ),
        ({"type": "authorized_user", "client_id": "c"}, "`client_secret` is missing"),
        ({"type": "impersonated_service_account"}, "does not say who takes on"),
        (
            {
                "type": "external_account",
                "audience": "a",
                "subject_token_type": "t",
                "credential_source": {"environment_id": "aws1"},
            },
            "wants its token from AWS",
        ),
        (
            {
                "type": "external_account",
                "audience": "a",
                "subject_token_type": "t",
                "credential_source": {"file": "/nowhere/token"},
            },
            "the token's file `/nowhere/token` cannot be read",
        ),
    ],
)
async def test_what_is_wrong_with_a_file_is_said(world: World, given: Any, words: str) -> None:
    with pytest.raises(Unavailable, match=words):
        await world.identity(world.write(given)).token()


async def test_a_file_that_is_named_and_missing_is_named(world: World) -> None:
    world.env["GOOGLE_APPLICATION_CREDENTIALS"] = str(world.folder / "nowhere.json")
    with pytest.raises(Unavailable, match=r"nowhere\.json` cannot be read: No such file"):
        await world.identity().token()


async def test_a_refusal_of_google_s_is_told_in_its_words_without_the_secret(world: World) -> None:
    given = {**world.server.user, "refresh_token": "1//revoked-secret"}
    with pytest.raises(Unavailable, match=r"gets no token: .*expired or revoked") as raised:
        await world.identity(world.write(given)).token()
    assert "revoked-secret" not in str(raised.value)
