"""How a request proves who sends it: one strategy for each way that vendors know.

A strategy changes a request that is otherwise ready to leave, so one that signs sees the method, the address, all
headers and the body. Another way (a cloud's signature, OAuth) is a class with `hint` and `apply` in a file of its own.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable
from urllib.parse import quote

from runtime.errors import AuthenticationError
from runtime.http.transport import Key, Outgoing


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


class KeySource(Protocol):
    """Who knows a provider's key: its `ProviderContext`."""

    @property
    def provider_id(self) -> str: ...

    def key(self) -> Key | None:
        """The key for the request being served. Raises AuthenticationError or Unavailable for what no key can be."""
        ...

    def how_to_give_a_key(self) -> str: ...


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

    def __init__(self, name: str, keys: KeySource, *, scheme: str = "", required: bool = False) -> None:
        self._name = name.lower()
        self._scheme = f"{scheme} " if scheme else ""
        self._keys = _Keys(keys, required=required)
        self.hint = self._keys.hint

    async def apply(self, request: Outgoing) -> Outgoing:
        key = self._keys.get()
        return request if key is None else request.with_headers({self._name: self._scheme + key.value}, key=key)


class Bearer(NamedHeader):
    """`Authorization: Bearer KEY`. RFC 6750, 2.1."""

    def __init__(self, keys: KeySource, *, required: bool = False) -> None:
        super().__init__("authorization", keys, scheme="Bearer", required=required)


class QueryKey:
    """The key in the address, `?name=KEY`. No message of ours shows it, but a server's log may. Otherwise as
    `NamedHeader`.
    """

    def __init__(self, name: str, keys: KeySource, *, required: bool = False) -> None:
        self._name = quote(name, safe="")
        self._keys = _Keys(keys, required=required)
        self.hint = self._keys.hint

    async def apply(self, request: Outgoing) -> Outgoing:
        key = self._keys.get()
        if key is None:
            return request
        address, mark, fragment = request.url.partition("#")
        joint = "&" if "?" in address else "?"
        url = f"{address}{joint}{self._name}={quote(key.value, safe='')}{mark}{fragment}"
        return request.with_headers({}, url=url, key=key)


class _Keys:
    """A provider's keys, and whether one must be there."""

    def __init__(self, keys: KeySource, *, required: bool) -> None:
        self._source = keys
        self._required = required
        self.hint = keys.how_to_give_a_key()
        keys.key()  # one that no header can hold is found before any request

    def get(self) -> Key | None:
        return needed(self._source) if self._required else self._source.key()


def needed(keys: KeySource) -> Key:
    """A provider's key. Raises AuthenticationError where there is none."""
    key = keys.key()
    if key is None:
        raise AuthenticationError(f"provider `{keys.provider_id}` has no key", hint=keys.how_to_give_a_key())
    return key
