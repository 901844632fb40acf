"""Credentials of a person who has signed on with `aws sso login`, which leaves a token in a file.
https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html (read November 2026)

The token is only read here: signing on takes a browser.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from runtime.clock import wall_time
from runtime.errors import Unavailable
from runtime.http.client import HttpClient
from runtime.http.transport import Outgoing
from runtime.providers._vendors.aws.addresses import address_of
from runtime.providers._vendors.aws.credentials import Credentials, from_answer, moment
from runtime.providers._vendors.aws.profiles import Profile

_CACHE = "~/.aws/sso/cache"
_NEEDED = ("sso_start_url", "sso_region", "sso_account_id", "sso_role_name")


def is_signed_on_for(profile: Profile) -> bool:
    """Whether a profile takes its key from signing on."""
    return bool(profile.get("sso_session") or profile.get("sso_start_url"))


async def by_sign_on(http: HttpClient, name: str, profile: Profile, *, env: Mapping[str, str]) -> Credentials:
    """name: of the profile. Raises Unavailable, and what `http` raises."""
    if missing := [setting for setting in _NEEDED if not profile.get(setting)]:
        raise Unavailable(
            f"the profile `{name}` signs on, and has no `{missing[0]}`",
            hint=f"run `aws configure sso --profile {name}`",
        )
    kept = await asyncio.to_thread(
        _kept, profile["sso_session"] if "sso_session" in profile else profile["sso_start_url"]
    )
    token, until = kept.get("accessToken"), moment(kept.get("expiresAt"))
    if not isinstance(token, str) or until is None or until <= wall_time():
        raise Unavailable(
            f"whoever the profile `{name}` is of has not signed on, or no longer is",
            hint=f"run `aws sso login --profile {name}`",
        )
    asked = urlencode({"account_id": profile["sso_account_id"], "role_name": profile["sso_role_name"]})
    url = f"{address_of('sso', profile['sso_region'], env)}/federation/credentials?{asked}"
    answer = await http.value(Outgoing(method="GET", url=url, headers={"x-amz-sso_bearer_token": token}))
    given = answer.get("roleCredentials") if isinstance(answer, dict) else None
    found = from_answer(_as_others(given), f"the profile `{name}`") if isinstance(given, dict) else None
    if found is None:
        raise Unavailable(f"the profile `{name}` was given no credentials for its role")
    return found


def _as_others(given: Mapping[str, Any]) -> dict[str, Any]:
    """With the names of AWS's other answers. expiration: in milliseconds."""
    expires_ms = given.get("expiration")
    return {
        "AccessKeyId": given.get("accessKeyId"),
        "SecretAccessKey": given.get("secretAccessKey"),
        "SessionToken": given.get("sessionToken"),
        "Expiration": expires_ms / 1000 if isinstance(expires_ms, int) else None,
    }


def _kept(session: str) -> dict[str, Any]:
    """What signing on has left, empty for nothing. session: its name, or its address where it has none."""
    name = hashlib.sha1(session.encode(), usedforsecurity=False).hexdigest()
    try:
        kept = msgspec.json.decode(Path(_CACHE, f"{name}.json").expanduser().read_bytes())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}
