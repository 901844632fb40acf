"""Who a provider calls AWS as: where its key and its region are from, and when they are asked for anew."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from datetime import datetime
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import ValidationError

from runtime.errors import Unavailable
from runtime.http import expiring
from runtime.http.client import HttpClient
from runtime.providers._vendors.aws.addresses import address_of
from runtime.providers._vendors.aws.config import AwsConfig
from runtime.providers._vendors.aws.credentials import Credentials
from runtime.providers._vendors.aws.identity import AwsIdentity
from tests.support.aws import KEY_ID, SECRET, AwsServer, aws_server

LATER = "2100-01-01T00:00:00Z"
ROLE = "arn:aws:iam::123456789012:role/guard"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[AwsServer]:
    async with aws_server() as running:
        yield running


class World:
    """One provider's identity. env: all variables that there are."""

    def __init__(self, folder: Path, server: AwsServer) -> None:
        self.folder = folder
        self.http = HttpClient("guard")
        self.env = {
            "AWS_CONFIG_FILE": str(folder / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
            "AWS_ENDPOINT_URL_STS": server.url,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url,
            "AWS_REGION": server.region,
        }

    def identity(self, **config: Any) -> AwsIdentity:
        return AwsIdentity(AwsConfig.model_validate(config), self.http, provider_id="guard", env=self.env)

    async def found(self, **config: Any) -> Credentials:
        return await self.identity(**config).credentials()

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)


@pytest_asyncio.fixture
async def world(tmp_path: Path, server: AwsServer) -> AsyncIterator[World]:
    made = World(tmp_path, server)
    yield made
    await made.http.close()


CREDENTIALS = f"""\
[default]
aws_access_key_id = DEFAULT
aws_secret_access_key = s%1;#
[work]
aws_access_key_id={KEY_ID}
aws_secret_access_key={SECRET}
"""


async def test_each_place_is_asked_after_those_that_were_chosen(world: World, server: AwsServer) -> None:
    server.issue("MACHINE", LATER)
    assert (await world.found()).source == "the machine's role `the-role`"
    world.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{server.url}/container"
    world.env["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "container-token"
    assert (await world.found()).source == "the container's role"
    assert server.headers["/container"]["authorization"] == "container-token"
    world.write("credentials", CREDENTIALS)
    found = await world.found()
    assert (found.access_key_id, found.secret_access_key, found.source) == ("DEFAULT", "s%1;#", "the profile `default`")
    world.env["AWS_PROFILE"] = "work"
    assert (await world.found()).source == "the profile `work`"
    world.env |= {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    found = await world.found()
    assert (found.access_key_id, found.session_token) == ("ENV", "t")
    assert (await world.found(profile_name="default")).access_key_id == "DEFAULT"
    own = await world.found(aws_access_key_id="OWN", aws_secret_access_key="s", profile_name="work")
    assert (own.access_key_id, own.source) == ("OWN", "its config")


async def test_a_token_of_a_file_is_exchanged_for_a_role(world: World, server: AwsServer) -> None:
    server.issue("ROLE", LATER)
    world.write("token", "web-token\n")
    world.env |= {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": str(world.folder / "token")}
    found = await world.found(session_ttl=900)
    assert (found.access_key_id, found.session_token) == ("ROLE", "token-of-ROLE")
    assert server.forms == [
        {
            "Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": ROLE,
            "RoleSessionName": "llama-stack", "DurationSeconds": "900", "WebIdentityToken": "web-token",
        }
    ]  # fmt: skip
    world.write("token", "not-a-token")
    with pytest.raises(Unavailable, match=f"the role `{ROLE}` cannot be taken on: .*400"):
        await world.found()
    world.env["AWS_WEB_IDENTITY_TOKEN_FILE"] = str(world.folder / "nowhere")
    with pytest.raises(Unavailable, match="No such file"):
        await world.found()


async def test_a_role_of_the_config_is_taken_on_with_the_key(world: World, server: AwsServer) -> None:
    server.issue("ROLE", LATER)
    world.write("credentials", CREDENTIALS)
    found = await world.found(aws_role_arn=ROLE, profile_name="work", aws_role_session_name="me")
    assert (found.access_key_id, found.source) == ("ROLE", f"the role `{ROLE}`")
    assert server.used == [KEY_ID] and server.forms[0]["RoleSessionName"] == "me"


async def test_a_profile_takes_on_a_role_with_the_key_of_another(world: World, server: AwsServer) -> None:
    server.issue("ROLE", LATER)
    world.write("credentials", CREDENTIALS)
    world.write("config", f"[profile guard]\nrole_arn={ROLE}\nsource_profile=work\nexternal_id=e1\nregion=us-west-2\n")
    assert (await world.found(profile_name="guard")).access_key_id == "ROLE"
    assert server.used == [KEY_ID] and server.forms[0]["ExternalId"] == "e1"
    del world.env["AWS_REGION"]
    assert await world.identity(profile_name="guard").region() == "us-west-2"
    world.write(
        "config", f"[profile a]\nrole_arn={ROLE}\nsource_profile=b\n[profile b]\nrole_arn={ROLE}\nsource_profile=a"
    )
    world.env["AWS_REGION"] = server.region
    with pytest.raises(Unavailable, match="without end"):
        await world.found(profile_name="a")


async def test_they_are_asked_for_anew_before_they_expire_and_once_for_all(
    world: World, server: AwsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.issue("OLD", LATER)
    asked = world.identity()
    assert (await asked.credentials()).access_key_id == "OLD"
    server.issue("NEW", LATER)
    assert (await asked.credentials()).access_key_id == "OLD"
    shortly_before = datetime.fromisoformat(LATER).timestamp() - 60
    monkeypatch.setattr(expiring, "wall_time", lambda: shortly_before)
    server.paths.clear()
    found = await asyncio.gather(*(asked.credentials() for _ in range(3)))
    assert [one.access_key_id for one in found] == ["NEW"] * 3
    assert len(server.paths) == 3, "a token, the name of the role and its key"
    server.issued = {}
    assert (await asked.credentials()).access_key_id == "NEW", "what is valid is used while there are no others"


async def test_a_profile_that_changes_is_read_again(world: World) -> None:
    world.write("credentials", CREDENTIALS)
    asked = world.identity(profile_name="work")
    assert (await asked.credentials()).access_key_id == KEY_ID
    file = world.folder / "credentials"
    file.write_text(CREDENTIALS.replace(KEY_ID, "RENEWED"))
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
    assert (await asked.credentials()).access_key_id == "RENEWED"


SIGN_ON = """\
[profile dev]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Dev
[sso-session corp]
sso_start_url = https://corp.example/start
sso_region = eu-west-1
"""


async def test_whoever_has_signed_on_is_given_the_role_of_the_profile(
    world: World, server: AwsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(world.folder))
    world.env["AWS_ENDPOINT_URL_SSO"] = server.url
    server.issue("DEV", LATER)
    world.write("config", SIGN_ON)
    kept = world.folder / ".aws/sso/cache" / f"{sha1(b'corp').hexdigest()}.json"
    kept.parent.mkdir(parents=True)
    for text in ("", '{"accessToken": "sign-on-token", "expiresAt": "2020-01-01T00:00:00Z"}'):
        kept.write_text(text)
        with pytest.raises(Unavailable) as raised:
            await world.found(profile_name="dev")
        assert "aws sso login --profile dev" in raised.value.words
    kept.write_text(json.dumps({"accessToken": "sign-on-token", "expiresAt": LATER}))
    found = await world.found(profile_name="dev")
    assert (found.access_key_id, found.session_token, found.expires_at) == ("DEV", "token-of-DEV", 4102444800.0)
    assert found.source == "the profile `dev`"


@pytest.mark.parametrize(
    ("config", "profile", "words"),
    [
        ("", "wrok", "no profile `wrok`.*they have `default`, `work`"),
        ("[profile p]\ncredential_process = /bin/x\n", "p", "export-credentials --profile p"),
        ("[profile sso]\nsso_session = s\nsso_account_id = 1\n", "sso", "no `sso_start_url`.*aws configure sso"),
        (f"[profile none]\nrole_arn={ROLE}\n", "none", "nothing that says with which key"),
        ("[profile", "work", r"config` cannot be read: MissingSectionHeaderError"),
    ],
)
async def test_what_cannot_be_used_is_said(world: World, config: str, profile: str, words: str) -> None:
    world.write("credentials", CREDENTIALS)
    world.write("config", config)
    with pytest.raises(Unavailable) as raised:
        await world.found(profile_name=profile)
    assert re.search(words, raised.value.words.replace("\n", " ")), raised.value.words


async def test_nothing_at_all_says_what_to_set(world: World) -> None:
    world.env |= {"AWS_EC2_METADATA_DISABLED": "true"}
    with pytest.raises(Unavailable, match="`guard` has no credentials of AWS"):
        await world.found()
    del world.env["AWS_REGION"]
    with pytest.raises(Unavailable, match="does not know its region"):
        await world.identity().region()


@pytest.mark.parametrize(
    "wrong",
    [
        {"aws_access_key_id": "a"},
        {"aws_session_token": "t"},
        {"aws_web_identity_token_file": "t"},
        {"region_name": "https://evil.example/"},
    ],
)
def test_half_a_key_is_a_problem_of_the_config(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        AwsConfig.model_validate(wrong)
    assert AwsConfig.model_validate(dict.fromkeys(wrong, "")) == AwsConfig(), "an empty variable is none"


def test_where_services_are() -> None:
    assert address_of("sts", "eu-west-1", {}) == "https://sts.eu-west-1.amazonaws.com"
    assert address_of("sts", "cn-north-1", {}) == "https://sts.cn-north-1.amazonaws.com.cn"
    named = {"AWS_ENDPOINT_URL": "https://all.example/", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "https://one.example"}
    assert address_of("bedrock-runtime", "r", named) == "https://one.example"
    assert address_of("sts", "r", named) == "https://all.example"
