"""Google's addresses for tokens: a token in exchange for a refresh token, and for another identity's token.

https://developers.google.com/identity/protocols/oauth2/web-server#offline and
https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken (read
November 2026)
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from runtime.http.client import HttpClient
from runtime.http.oauth import TIMEOUTS, asked, exchanged, member
from runtime.http.tokens import Token
from runtime.http.transport import json_request
from runtime.sse import Json

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105  # an address
_LIFETIME_S = 3600


async def by_refresh_token(http: HttpClient, given: Json, source: str) -> Token:
    """The token of a user who has run `gcloud auth application-default login`. Raises Unavailable."""
    form = {
        "grant_type": "refresh_token",
        **{name: member(given, name, source) for name in ("client_id", "client_secret", "refresh_token")},
    }
    return await exchanged(http, str(given.get("token_uri") or TOKEN_URL), form, source)


async def by_impersonation(http: HttpClient, base: Token, given: Json, source: str) -> Token:
    """The token of a service account that another identity may take on. base: the other's. given: with
    `service_account_impersonation_url`. Raises Unavailable.
    """
    url = member(given, "service_account_impersonation_url", source)
    wanted = given.get("service_account_impersonation")
    lifetime_s = wanted.get("token_lifetime_seconds") if isinstance(wanted, dict) else None
    body: Json = {"scope": [SCOPE], "lifetime": f"{lifetime_s or _LIFETIME_S}s"}
    if given.get("delegates"):
        body["delegates"] = given["delegates"]
    request = json_request(url, body, headers={"authorization": f"Bearer {base.value}"}, timeouts=TIMEOUTS)
    account = url.rpartition("/serviceAccounts/")[2].partition(":")[0] or "a service account"
    whose = f"the service account `{account}`, which {source} takes on"
    answer = await asked(http, request, whose)
    return Token(value=member(answer, "accessToken", whose), expires_at=_moment(answer.get("expireTime")), source=whose)


def _moment(given: Any) -> float | None:
    try:
        return datetime.fromisoformat(str(given)).timestamp()
    except ValueError:
        return None
