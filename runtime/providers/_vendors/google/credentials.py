"""Files with credentials of Google, and the token that each kind of them leads to.

https://cloud.google.com/docs/authentication/application-default-credentials and
https://google.aip.dev/auth/4110 (read November 2026)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from runtime.errors import Unavailable
from runtime.http.client import HttpClient
from runtime.http.tokens import Token
from runtime.providers._vendors.google.exchanges import by_impersonation, by_refresh_token
from runtime.providers._vendors.google.federation import by_federation
from runtime.providers._vendors.google.service_account import by_service_account
from runtime.sse import Json, decode

_MOST_BYTES = 256 * 1024

Finds = Callable[[HttpClient, Json, str], Coroutine[Any, Any, Token]]
_BY_KIND: Mapping[str, Finds] = {
    "service_account": by_service_account,
    "authorized_user": by_refresh_token,
    "external_account": by_federation,
}


async def read_credentials(file: Path) -> Json:
    """The JSON of a file. Raises Unavailable for one that cannot be read, or has no credentials."""
    return await asyncio.to_thread(_read, file)


async def token_of(http: HttpClient, given: Json, source: str) -> Token:
    """A token for credentials as a file has them. source: the file, for messages. Raises Unavailable."""
    kind = given.get("type")
    if kind == "impersonated_service_account":
        inner = given.get("source_credentials")
        if not isinstance(inner, dict) or inner.get("type") not in _BY_KIND:
            raise Unavailable(f"{source} does not say who takes on its service account")
        base = await token_of(http, inner, source)
        return await by_impersonation(http, base, given, source)
    find = _BY_KIND.get(kind) if isinstance(kind, str) else None
    if find is None:
        known = ", ".join(f"`{one}`" for one in (*_BY_KIND, "impersonated_service_account"))
        raise Unavailable(f"{source} has credentials of the kind `{kind}`, which is not known", hint=f"use {known}")
    return await find(http, given, source)


def _read(file: Path) -> Json:
    try:
        with file.expanduser().open("rb") as opened:
            return decode(opened.read(_MOST_BYTES))
    except OSError as error:
        raise Unavailable(f"Google's credentials in `{file}` cannot be read: {error.strerror}") from None
    except (ValueError, TypeError):
        raise Unavailable(
            f"`{file}` has no credentials of Google",
            hint="`gcloud auth application-default login` writes such a file, and so does a service account's new key",
        ) from None
