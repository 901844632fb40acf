"""How a request proves who sends it: one strategy for each way that vendors know.

A strategy changes a request that is otherwise ready to leave, so one that signs sees the method, the address, all
headers and the body. Another way (a cloud's signature, OAuth) is a class with `hint` and `apply` in a file of its own.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable
from urllib.parse import quote

from runtime.http.keys import ProviderKeys
from runtime.http.transport import Outgoing


class Auth(Protocol):
    """hint: how a person gives it what it needs, for messages: ``set ACME_API_KEY``; empty where that is nothing."""

    @property
    def hint(self) -> str: ...

    async def apply(self, request: Outgoing) -> Outgoing:
        """The request as it is to be sent, with the `key` by which refusals know whose it was. Called for each sending
        anew. Raises AuthenticationError where a key is needed and there is none.
        """
        ...


@runtime_checkable
class Renews(Auth, Protocol):
    """An Auth that can get other credentials, such as a token in place of one that has expired."""

    async def renew(self, refused: Outgoing) -> bool:
        """Called after an answer of 401, once for all calls whose same `key` is refused meanwhile, so in nobody's name:
        there is no current request. Whether `apply` now gives another key than `refused` had.
        """
        ...


class NoAuth:
    """Requests leave as they are."""

    hint = ""

    async def apply(self, request: Outgoing) -> Outgoing:
        return request


class NamedHeader:
    """The key in a header of this name, such as `x-api-key`; scheme: a word before it, such as `Token`.

    required: whether a request without a key is an error, or leaves without one. Raises Unavailable for a configured
    key that no header can hold.
    """

    def __init__(self, name: str, keys: ProviderKeys, *, scheme: str = "", required: bool = False) -> None:
        self._name = name.lower()
        self._scheme = f"{scheme} " if scheme else ""
        keys.configured()  # one that no header can hold is found before any request
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
    """The key in the address, `?name=KEY`. No message of ours shows it, but a server's log may. Otherwise as
    `NamedHeader`.
    """

    def __init__(self, name: str, keys: ProviderKeys, *, required: bool = False) -> None:
        self._name = quote(name, safe="")
        keys.configured()  # one that no header can hold is found before any request
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
