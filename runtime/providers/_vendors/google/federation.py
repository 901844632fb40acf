"""Workload identity federation: the token of another identity provider, from a file or an address, in exchange for one
of Google's.

https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers and RFC 8693 (read November 2026)
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from pathlib import Path

from runtime.errors import Unavailable
from runtime.http.client import HttpClient
from runtime.http.oauth import exchanged, member
from runtime.http.timeouts import Timeouts
from runtime.http.tokens import Token
from runtime.http.transport import Outgoing
from runtime.providers._vendors._token_files import read_token_file
from runtime.providers._vendors.google.exchanges import SCOPE, by_impersonation
from runtime.sse import Json, decode, encode

_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
_WANTED = "urn:ietf:params:oauth:token-type:access_token"
_TIMEOUTS = Timeouts(connect_s=5.0, read_s=20.0, total_s=30.0)
_ELSEWHERE = {"executable": "a program", "certificate": "a certificate", "environment_id": "AWS"}
"""Sources of tokens that only Google's own libraries know."""


async def by_federation(http: HttpClient, given: Json, source: str) -> Token:
    """Raises Unavailable where the other's token is not found, or is not taken."""
    form = {
        "grant_type": _GRANT,
        "audience": member(given, "audience", source),
        "scope": SCOPE,
        "requested_token_type": _WANTED,
        "subject_token_type": member(given, "subject_token_type", source),
        "subject_token": await _subject_token(http, given, source),
    }
    headers = {}
    if client := given.get("client_id"):
        pair = b64encode(f"{client}:{given.get('client_secret') or ''}".encode()).decode()
        headers["authorization"] = f"Basic {pair}"
    elif project := given.get("workforce_pool_user_project"):
        form["options"] = encode({"userProject": project}).decode()
    whose = f"the workload identity of {source}"
    token = await exchanged(http, member(given, "token_url", source), form, whose, headers=headers)
    if given.get("service_account_impersonation_url"):
        return await by_impersonation(http, token, given, source)
    return token


async def _subject_token(http: HttpClient, given: Json, source: str) -> str:
    """The other identity provider's token, found anew each time: it lives for minutes."""
    where = given.get("credential_source")
    if not isinstance(where, dict):
        raise Unavailable(f"{source}: `credential_source` is missing")
    if kind := next((words for name, words in _ELSEWHERE.items() if where.get(name)), None):
        raise Unavailable(
            f"{source} wants its token from {kind}, which only Google's own libraries ask",
            hint="give `credential_source` a `file` or a `url`, or set `access_token`",
        )
    if file := where.get("file"):
        return _token_in(await asyncio.to_thread(read_token_file, Path(str(file))), where, f"the file `{file}`")
    url = member(where, "url", source)
    headers = {str(name).lower(): str(value) for name, value in (where.get("headers") or {}).items()}
    exchange = await http.send(Outgoing(method="GET", url=url, headers=headers, timeouts=_TIMEOUTS))
    try:
        return _token_in(await exchange.read(), where, f"the `url` of {source}")
    finally:
        await exchange.close()


def _token_in(data: bytes, where: Json, place: str) -> str:
    form = where.get("format")
    if isinstance(form, dict) and form.get("type") == "json":
        try:
            return member(decode(data), str(form.get("subject_token_field_name")), place)
        except (ValueError, TypeError):
            raise Unavailable(f"{place} has no JSON with a token") from None
    text = data.decode("utf-8", "replace").strip()
    if not text:
        raise Unavailable(f"{place} has no token")
    return text
