"""The role of the container or machine that this runs on, which tells its credentials at an address of its own.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html and
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html (read November 2026)
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from runtime.errors import UpstreamError
from runtime.http.client import HttpClient
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing
from runtime.providers._vendors._token_files import read_token
from runtime.providers._vendors.aws.credentials import Credentials, from_answer

_CONTAINER = "http://169.254.170.2"
_MACHINE = "http://169.254.169.254"
_SOON = Timeouts(connect_s=1.0, read_s=2.0, total_s=5.0)
"""It is as near as can be; where there is none, nothing answers."""


async def of_container(http: HttpClient, env: Mapping[str, str]) -> Credentials | None:
    """None where no variable names it. Raises Unavailable, and what `http` raises."""
    relative, whole = env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), env.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    url = f"{_CONTAINER}{relative}" if relative else whole
    if not url:
        return None
    token = env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    if file := env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        token = await asyncio.to_thread(read_token, Path(file))
    answer = await http.value(_get(url, {"authorization": token} if token else {}))
    return from_answer(answer, "the container's role") if isinstance(answer, dict) else None


async def of_machine(http: HttpClient, env: Mapping[str, str]) -> Credentials | None:
    """None where this is no machine of Amazon's, or it has no role."""
    if env.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return None
    place = (env.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _MACHINE).rstrip("/")
    try:
        lifetime = {"x-aws-ec2-metadata-token-ttl-seconds": "21600"}
        asked = Outgoing(method="PUT", url=f"{place}/latest/api/token", headers=lifetime, timeouts=_SOON)
        given = {"x-aws-ec2-metadata-token": await _text(http, asked)}
        roles = f"{place}/latest/meta-data/iam/security-credentials"
        role = (await _text(http, _get(f"{roles}/", given))).partition("\n")[0].strip()
        answer = await http.value(_get(f"{roles}/{quote(role, safe='')}", given)) if role else None
    except UpstreamError:
        return None
    return from_answer(answer, f"the machine's role `{role}`") if isinstance(answer, dict) else None


def _get(url: str, headers: Mapping[str, str]) -> Outgoing:
    return Outgoing(method="GET", url=url, headers=headers, timeouts=_SOON)


async def _text(http: HttpClient, request: Outgoing) -> str:
    exchange = await http.send(request)
    try:
        return (await exchange.read()).decode("ascii", "replace")
    finally:
        await exchange.close()
