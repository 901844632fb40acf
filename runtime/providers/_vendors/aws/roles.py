"""Taking on a role: the service STS gives temporary credentials for others, or for a token.
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html (read November 2026)
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from runtime.clock import utc_now
from runtime.errors import Unavailable, UpstreamError
from runtime.http.client import HttpClient
from runtime.http.transport import Outgoing
from runtime.providers._vendors._token_files import read_token
from runtime.providers._vendors.aws.addresses import address_of
from runtime.providers._vendors.aws.credentials import Credentials, from_answer
from runtime.providers._vendors.aws.signature import signed

_MEMBER = re.compile(r"<(AccessKeyId|SecretAccessKey|SessionToken|Expiration)>([^<]*)</")


@dataclass(frozen=True, kw_only=True)
class Role:
    """session_name: what AWS's logs call it. duration_s: for how long, in seconds. external_id: what some roles ask
    for beside a key.
    """

    arn: str
    session_name: str = "llama-stack"
    duration_s: int = 3600
    external_id: str = ""

    @property
    def source(self) -> str:
        return f"the role `{self.arn}`"


async def by_credentials(
    http: HttpClient, role: Role, base: Credentials, *, region: str, env: Mapping[str, str]
) -> Credentials:
    """`AssumeRole`. Raises Unavailable, and what `http` raises."""
    more = {"ExternalId": role.external_id} if role.external_id else {}
    request = _request("AssumeRole", role, region, env, more)
    return await _asked(http, role, signed(request, base, region=region, service="sts", at=utc_now()))


async def by_token(http: HttpClient, role: Role, file: Path, *, region: str, env: Mapping[str, str]) -> Credentials:
    """`AssumeRoleWithWebIdentity`. file: of the token. Raises Unavailable, and what `http` raises."""
    token = await asyncio.to_thread(read_token, file)
    request = _request("AssumeRoleWithWebIdentity", role, region, env, {"WebIdentityToken": token})
    return await _asked(http, role, request)


def _request(action: str, role: Role, region: str, env: Mapping[str, str], more: Mapping[str, str]) -> Outgoing:
    form = {
        "Action": action, "Version": "2011-06-15", "RoleArn": role.arn, "RoleSessionName": role.session_name,
        "DurationSeconds": str(role.duration_s), **more,
    }  # fmt: skip
    return Outgoing(
        method="POST",
        url=f"{address_of('sts', region, env)}/",
        headers={"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
        body=urlencode(form).encode(),
    )


async def _asked(http: HttpClient, role: Role, request: Outgoing) -> Credentials:
    """Its answer is XML."""
    try:
        exchange = await http.send(request)
    except UpstreamError as error:
        raise Unavailable(f"{role.source} cannot be taken on: {error.message}", code=error.code) from error
    try:
        body = (await exchange.read()).decode("utf-8", "replace")
    finally:
        await exchange.close()
    found = from_answer(dict(_MEMBER.findall(body)), role.source)
    if found is None:
        raise Unavailable(f"{role.source} cannot be taken on: AWS answered without credentials")
    return found
