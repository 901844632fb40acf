"""Servers that give tokens as OAuth 2.0 says: RFC 6749, sections 4 and 5."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from runtime.clock import wall_time
from runtime.errors import Unavailable, UpstreamError
from runtime.http.client import HttpClient
from runtime.http.timeouts import Timeouts
from runtime.http.tokens import Token
from runtime.http.transport import Outgoing

FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
TIMEOUTS = Timeouts(connect_s=5.0, read_s=20.0, total_s=30.0)


async def exchanged(
    http: HttpClient, url: str, form: Mapping[str, str], source: str, *, headers: Mapping[str, str] | None = None
) -> Token:
    """What an address for tokens gives for a form. source: whose token it is. Raises Unavailable."""
    began = wall_time()
    body = urlencode(form).encode()
    request = Outgoing(method="POST", url=url, headers={**FORM, **(headers or {})}, body=body, timeouts=TIMEOUTS)
    return token_in(await asked(http, request, source), source, began=began)


def token_in(answer: Any, source: str, *, began: float) -> Token:
    """The token of an answer. began: when it was asked for. Raises Unavailable where there is none."""
    lives_s = answer.get("expires_in") if isinstance(answer, dict) else None
    if isinstance(lives_s, str) and lives_s.isdecimal():  # Azure's machines write numbers as text
        lives_s = int(lives_s)
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
