"""Requests with a token that is found when it is needed, and expires: an identity of Azure, Google, IBM and the like.

How each of these gives its tokens is in a file of its own below `runtime/providers/_vendors`; when they are asked for,
kept and renewed is here.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import msgspec

from runtime.http.expiring import Expiring
from runtime.http.keys import ProviderKeys
from runtime.http.transport import Key, Outgoing


@dataclass(frozen=True, kw_only=True)
class Token:
    """source: where it is from, for messages: `the service account `a@b``. expires_at: as of `Expires`."""

    value: str = field(repr=False)
    expires_at: float | None = None
    source: str = ""


def expiry_of(token: str) -> float | None:
    """When a JWT expires, in seconds since 1970: its `exp` (RFC 7519, 4.1.4). None for one that does not say, or is no
    JWT. Its signature is not looked at.
    """
    try:
        claims = msgspec.json.decode(urlsafe_b64decode(token.split(".")[1] + "=="))
    except (IndexError, ValueError, binascii.Error, RecursionError):
        return None
    expires_at = claims.get("exp") if isinstance(claims, dict) else None
    is_number = isinstance(expires_at, int | float) and not isinstance(expires_at, bool)
    return float(expires_at) if is_number else None  # type: ignore[arg-type]  # checked before


class TokenBearer:
    """An `Auth`: `Authorization: Bearer TOKEN`. A caller's own key comes first, then one of the config; both are sent
    as they are.

    find: asked when there is no token, shortly before it expires, and where one was refused; once for all who wait.
    Raises what makes it impossible, which those who wait are raised. hint: how a user says who they are, for messages.
    """

    def __init__(self, keys: ProviderKeys, find: Callable[[], Coroutine[Any, Any, Token]], *, hint: str) -> None:
        keys.configured()  # an invalid key is found before any request
        self._keys = keys
        self._tokens = Expiring(find, whose=keys.provider_id)
        self._hint = hint

    @property
    def hint(self) -> str:
        """For a refusal: whose the token was."""
        if (known := self._tokens.known) is None or not known.source:
            return self._hint
        return f"its token is that of {known.source}, whose rights may not allow this"

    async def apply(self, request: Outgoing) -> Outgoing:
        """Raises what `find` raises."""
        key = self._keys.get() or Key(value=(await self._tokens.get()).value)
        return request.with_headers({"authorization": f"Bearer {key.value}"}, key=key)

    async def renew(self, refused: Outgoing) -> bool:
        """After a refusal: whether there is another token now. Raises what `find` raises."""
        known = self._tokens.known
        if known is None or refused.key != Key(value=known.value):
            return False
        return (await self._tokens.renewed()).value != known.value
