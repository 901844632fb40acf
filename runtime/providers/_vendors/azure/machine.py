"""The managed identity of the app or machine of Azure's that this runs on.

https://learn.microsoft.com/en-us/azure/app-service/overview-managed-identity#rest-endpoint-reference and
https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token (read November
2026)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from runtime.clock import wall_time
from runtime.errors import Unavailable, UpstreamError, UpstreamRejected
from runtime.http.client import HttpClient
from runtime.http.oauth import TIMEOUTS, asked, token_in
from runtime.http.timeouts import Timeouts
from runtime.http.tokens import Token
from runtime.http.transport import Outgoing

_MACHINE = "http://169.254.169.254"
_SOON = Timeouts(connect_s=1.0, read_s=5.0, total_s=8.0)
"""It is as near as can be; where there is none, nothing answers."""
_LATER = (410, 429, 500)
"""Of a machine of Azure's whose identity is changed or asked for too often just now."""
_SOURCE = "the managed identity"


async def token_of_app(http: HttpClient, env: Mapping[str, str], resource: str, client: str | None) -> Token | None:
    """None where this is no app of Azure's. client: the id of a user-assigned identity. Raises Unavailable."""
    url, header = env.get("IDENTITY_ENDPOINT"), env.get("IDENTITY_HEADER")
    if not (url and header):
        return None
    query = {"api-version": "2019-08-01", "resource": resource, **({"client_id": client} if client else {})}
    request = Outgoing(
        method="GET", url=f"{url}?{urlencode(query)}", headers={"x-identity-header": header}, timeouts=TIMEOUTS
    )
    began = wall_time()
    answer = await asked(http, request, _SOURCE)
    return _ending(token_in(answer, _SOURCE, began=began), answer)


async def token_of_machine(http: HttpClient, env: Mapping[str, str], resource: str, client: str | None) -> Token | None:
    """None where this is no machine of Azure's, or it has no identity. Raises Unavailable for one that is refused, and
    for a machine that has no time to say.
    """
    place = (env.get("AZURE_POD_IDENTITY_AUTHORITY_HOST") or _MACHINE).rstrip("/")
    query = {"api-version": "2018-02-01", "resource": resource, **({"client_id": client} if client else {})}
    request = Outgoing(
        method="GET",
        url=f"{place}/metadata/identity/oauth2/token?{urlencode(query)}",
        headers={"metadata": "true"},
        timeouts=_SOON,
    )
    began = wall_time()
    try:
        answer = await http.value(request)
    except UpstreamRejected as error:
        if (
            client is None and error.upstream_status not in _LATER
        ):  # a machine without an identity; somebody may have signed on
            return None
        whose = f"{_SOURCE} `{client}`" if client else _SOURCE
        raise Unavailable(f"{whose} gets no token: {error.message}", code=error.code) from error
    except UpstreamError as error:
        if error.upstream_status in _LATER:
            raise Unavailable(f"{_SOURCE} gets no token: {error.message}", code=error.code) from error
        return None
    return _ending(token_in(answer, _SOURCE, began=began), answer)


def _ending(token: Token, answer: Any) -> Token:
    """With the moment of its end, which apps tell instead of how long it lives."""
    said = str(answer.get("expires_on", ""))
    return replace(token, expires_at=float(said)) if token.expires_at is None and said.isdecimal() else token
