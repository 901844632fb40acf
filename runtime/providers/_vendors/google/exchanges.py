"""Google's addresses for tokens: a token in exchange for a refresh token, and for another identity's token.

https://developers.google.com/identity/protocols/oauth2/web-server#offline and
https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken (read
November 2026)
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from runtime.clock import wall_time
from runtime.errors import Unavailable, UpstreamError
from runtime.http.client import HttpClient
from runtime.http.timeouts import Timeouts
from runtime.http.tokens import Token
from runtime.http.transport import Outgoing, json_request
from runtime.sse import Json

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105  # an address
_FORM = {"content-type": "application/x-www-form-urlencoded"}
_TIMEOUTS = Timeouts(connect_s=5.0, read_s=20.0, total_s=30.0)
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
    request = json_request(url, body, headers={"authorization": f"Bearer {base.value}"}, timeouts=_TIMEOUTS)
    account = url.rpartition("/serviceAccounts/")[2].partition(":")[0] or "a service account"
    whose = f"the service account `{account}`, which {source} takes on"
    answer = await asked(http, request, whose)
    return Token(value=member(answer, "accessToken", whose), expires_at=_moment(answer.get("expireTime")), source=whose)


async def exchanged(
    http: HttpClient, url: str, form: Mapping[str, str], source: str, *, headers: Mapping[str, str] | None = None
) -> Token:
    """What an address for tokens gives for a form. source: whose token it is. Raises Unavailable."""
    began = wall_time()
    body = urlencode(form).encode()
    request = Outgoing(method="POST", url=url, headers={**_FORM, **(headers or {})}, body=body, timeouts=_TIMEOUTS)
    return token_in(await asked(http, request, source), source, began=began)


def token_in(answer: Any, source: str, *, began: float) -> Token:
    """The token of an answer of OAuth (RFC 6749, 5.1). began: when it was asked for. Raises Unavailable."""
    lives_s = answer.get("expires_in") if isinstance(answer, dict) else None
    is_number = isinstance(lives_s, int | float) and not isinstance(lives_s, bool)
    expires_at = began + float(lives_s) if is_number else None  # type: ignore[arg-type]  # checked before
    return Token(value=member(answer, "access_token", source), expires_at=expires_at, source=source)


async def asked(http: HttpClient, request: Outgoing, whose: str) -> Any:
    """The JSON of an answer. Raises Unavailable for a refusal, with the words of whoever refused."""
    try:
        return await http.value(request)
    except UpstreamError as error:
        raise Unavailable(f"{whose} gets no token: {error.message}", code=error.code) from error


def member(given: Any, name: str, source: str) -> str:
    """A text of credentials or of an answer. Raises Unavailable where it is missing."""
    value = given.get(name) if isinstance(given, dict) else None
    if not isinstance(value, str) or not value:
        raise Unavailable(f"{source}: `{name}` is missing")
    return value


def _moment(given: Any) -> float | None:
    try:
        return datetime.fromisoformat(str(given)).timestamp()
    except ValueError:
        return None
