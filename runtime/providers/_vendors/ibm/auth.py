"""Authenticates requests to IBM with tokens, one for each key: the configured key's, and those of callers' own keys."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any

from runtime.errors import AuthenticationError, UpstreamError
from runtime.http.expiring import Expiring
from runtime.http.keys import ProviderKeys
from runtime.http.tokens import Token
from runtime.http.transport import Key, Outgoing
from runtime.providers._vendors.ibm.exchanges import KeyRefused

_MOST_KEYS = 256
"""Whose tokens are kept: those that were used last."""


class ExchangedKeys:
    """An `Auth`: `Authorization: Bearer TOKEN`, for which a key is exchanged. A caller's own key comes first. What is a
    token already, instead of a key, is sent as it is.

    exchange: the token of a key; asked for when there is none, shortly before it expires, and where one was refused,
    once for all who wait. Raises KeyRefused, and what makes it impossible.
    """

    def __init__(self, keys: ProviderKeys, exchange: Callable[[str], Coroutine[Any, Any, Token]]) -> None:
        keys.configured()  # an invalid key is found before any request
        self._keys = keys
        self._exchange = exchange
        self._tokens: OrderedDict[Key, Expiring[Token]] = OrderedDict()
        self.hint = keys.how_to_give

    async def apply(self, request: Outgoing) -> Outgoing:
        """Raises AuthenticationError where there is no key and for a caller's that is refused, UpstreamError for a
        configured one, and what `exchange` raises.
        """
        key = self._keys.needed()
        token = key.value if _is_token(key.value) else (await self._of(key).get()).value
        sent = Key(value=token, is_callers=key.is_callers)
        return request.with_headers({"authorization": f"Bearer {token}"}, key=sent)

    async def renew(self, refused: Outgoing) -> bool:
        """After a refusal: whether there is another token now. Raises as `apply` does."""
        token = refused.key.value if refused.key is not None else ""
        for tokens in self._tokens.values():
            if tokens.known is not None and tokens.known.value == token:
                return (await tokens.renewed()).value != token
        return False

    def _of(self, key: Key) -> Expiring[Token]:
        """The tokens of a key."""
        if (found := self._tokens.get(key)) is None:
            found = self._tokens[key] = Expiring(lambda: self._token_of(key), whose=self._keys.provider_id)
            if len(self._tokens) > _MOST_KEYS:
                self._tokens.popitem(last=False)
        self._tokens.move_to_end(key)
        return found

    async def _token_of(self, key: Key) -> Token:
        try:
            return await self._exchange(key.value)
        except KeyRefused as refusal:
            whose = self._keys.provider_id
            words = f"there is no token for the key: {refusal}"
            if key.is_callers:
                raise AuthenticationError(words, hint=self.hint) from refusal
            hint = f"the key of provider `{whose}` was not accepted: {self.hint}"
            raise UpstreamError(words, provider_id=whose, code="upstream_refused_key", hint=hint) from refusal


def _is_token(value: str) -> bool:
    """Whether it is a JWT, as IBM's tokens are: keys have no dots."""
    return value.startswith("eyJ") and value.count(".") == 2
