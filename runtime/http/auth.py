"""How requests are authenticated: one strategy for each method that vendors use.

A strategy changes a request that is otherwise complete, so one that signs sees the method, the address, all headers and
the body. Another method (a cloud's signature, OAuth) is a class with `hint` and `apply` in its own file.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable
from urllib.parse import quote

from runtime.http.keys import ProviderKeys
from runtime.http.transport import Outgoing


class Auth(Protocol):
    """hint: how a user provides the key, for messages: ``set ACME_API_KEY``; empty if no key is needed."""

    @property
    def hint(self) -> str: ...

    async def apply(self, request: Outgoing) -> Outgoing:
        """The request to send, with its `key`, so that a refusal can say whose key it was. Called each time a request
        is sent. Raises AuthenticationError if a key is needed and there is none.
        """
        ...


@runtime_checkable
class Renews(Auth, Protocol):
    """An Auth that can get new credentials, such as a token that replaces an expired one."""

    async def renew(self, refused: Outgoing) -> bool:
        """Called after an answer of 401. Returns whether `apply` now gives another key than `refused` had.

        Called once for all calls whose same `key` is refused at the time, so there is no current request.
        """
        ...


class NoAuth:
    """Requests are sent unchanged."""

    hint = ""

    async def apply(self, request: Outgoing) -> Outgoing:
        return request


class NamedHeader:
    """The key in a header of this name, such as `x-api-key`. scheme: a word before the key, such as `Token`.

    required: a request without a key is an error; otherwise it is sent without one. Raises Unavailable for a configured
    key that is not valid in a header.
    """

    def __init__(self, name: str, keys: ProviderKeys, *, scheme: str = "", required: bool = False) -> None:
        self._name = name.lower()
        self._scheme = f"{scheme} " if scheme else ""
        keys.configured()  # an invalid key is found before any request
        self._key = keys.needed if required else keys.get
        self.hint = keys.how_to_give

    async def apply(self, request: Outgoing) -> Outgoing:
        key = self._key()
        return request if key is None else request.with_headers({self._name: self._scheme + key.value}, key=key)


class Bearer(NamedHeader):
    """`Authorization: Bearer KEY`. RFC 6750, 2.1."""

    def __init__(self, keys: ProviderKeys, *, required: bool = False) -> None:
        super().__init__("authorization", keys, scheme="Bearer", required=required)


class QueryKey:
    """The key in the address, `?name=KEY`. Our messages never show it, but another server's log may. Otherwise as
    `NamedHeader`.
    """

    def __init__(self, name: str, keys: ProviderKeys, *, required: bool = False) -> None:
        self._name = quote(name, safe="")
        keys.configured()  # an invalid key is found before any request
        self._key = keys.needed if required else keys.get
        self.hint = keys.how_to_give

    async def apply(self, request: Outgoing) -> Outgoing:
        key = self._key()
        if key is None:
            return request
        address, mark, fragment = request.url.partition("#")
        joint = "&" if "?" in address else "?"
        url = f"{address}{joint}{self._name}={quote(key.value, safe='')}{mark}{fragment}"
        return request.with_headers({}, url=url, key=key)
