"""What IBM gives for a key: a token of IBM Cloud's IAM, of its platform in Amazon's cloud, or of a cluster with IBM
Software Hub (Cloud Pak for Data).

https://cloud.ibm.com/apidocs/iam-identity-token-api#gettoken-apikey,
https://www.ibm.com/docs/en/software-hub/5.2.x?topic=api-generating-bearer-token, and for the platform IBM's own package
for Python (read November 2026)
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from runtime.clock import wall_time
from runtime.errors import UpstreamRejected
from runtime.http.client import HttpClient
from runtime.http.oauth import FORM, TIMEOUTS, member, token_in
from runtime.http.tokens import Token, expiry_of
from runtime.http.transport import Outgoing, json_request

IAM_URL = "https://iam.cloud.ibm.com"
PLATFORM_URL = "https://account-iam.platform.saas.ibm.com"
_GRANT = "urn:ibm:params:oauth:grant-type:apikey"
_IS_REFUSAL = (400, 401, 403)
"""IAM answers 400 to a key that it does not know."""


class KeyRefused(Exception):
    """There is no token for a key; the message says why, in the words of whoever refused it."""


async def by_api_key(http: HttpClient, key: str, *, iam_url: str = IAM_URL) -> Token:
    """The token of IBM Cloud for an API key, which lives for an hour. iam_url: without a path. Raises KeyRefused,
    Unavailable for an answer without a token, and what `http` raises.
    """
    began = wall_time()
    request = Outgoing(
        method="POST",
        url=f"{iam_url.rstrip('/')}/identity/token",
        headers=FORM,
        body=urlencode({"grant_type": _GRANT, "apikey": key}).encode(),
        timeouts=TIMEOUTS,
    )
    return token_in(await _asked(http, request), "IBM Cloud", began=began)


async def by_platform_key(http: HttpClient, key: str, *, url: str = PLATFORM_URL) -> Token:
    """The token of IBM's platform in Amazon's cloud for an API key. url: without a path. Raises as `by_api_key`."""
    request = json_request(f"{url.rstrip('/')}/api/2.0/apikeys/token", {"apikey": key}, timeouts=TIMEOUTS)
    return _own_token(await _asked(http, request), "IBM's platform")


async def by_user(http: HttpClient, url: str, user: str, *, key: str | None = None, password: str = "") -> Token:
    """The token of a cluster for one of its users, by an API key or a password. url: the cluster's, without a path.
    Raises as `by_api_key` does.
    """
    secret = {"password": password} if key is None else {"api_key": key}
    request = json_request(f"{url.rstrip('/')}/icp4d-api/v1/authorize", {"username": user, **secret}, timeouts=TIMEOUTS)
    whose = f"the cluster of user `{user}`"
    return _own_token(await _asked(http, request), whose)


def _own_token(answer: Any, whose: str) -> Token:
    """One that says itself when it expires."""
    given = member(answer, "token", whose)
    return Token(value=given, expires_at=expiry_of(given), source=whose)


async def _asked(http: HttpClient, request: Outgoing) -> Any:
    try:
        return await http.value(request)
    except UpstreamRejected as error:
        if error.upstream_status not in _IS_REFUSAL:
            raise
        raise KeyRefused(error.message) from error
