"""Objects that NeMo's microservices keep, each with a namespace and a name: datasets, evaluation configs.
https://docs.nvidia.com/nemo/microservices/latest/manage-entities (read November 2026)

    POST   /v1/KIND  {"namespace": N, "name": M, ...}   409 where there is one of this name
    GET    /v1/KIND/N/M
    PATCH  /v1/KIND/N/M  {...}
    DELETE /v1/KIND/N/M
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

from runtime.apis._request import Registered
from runtime.errors import Conflict, UpstreamRejected
from runtime.http.client import HttpClient
from runtime.http.transport import Outgoing, json_request

_KEPT_AS = "nemo"
"""Among the facts of a registration: how its object is named."""


@dataclass(frozen=True, kw_only=True)
class Named:
    """How an object is called."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Entities:
    """The objects of one kind. url: of their list, such as `http://nemo.test/v1/datasets`. Each method raises what
    `HttpClient` raises.
    """

    def __init__(self, http: HttpClient, url: str) -> None:
        self._http = http
        self._url = url

    async def take(
        self, resource: Registered, before: Registered | None, named: Named, facts: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Keep an object for what is registered. Returns what its registration remembers. Raises Conflict for a name
        that has another object, which stays as it is.

        One that is there and the same is taken over: a registration that was cut short had made it.
        """
        was = None if before is None else self.kept_as(before)
        if was is None:
            await self._create(named, facts)
        elif was == named:
            await self._replace(named, facts)
        else:
            raise Conflict(
                f"`{resource.id}` is kept in NeMo as `{was}`, and would be `{named}`", hint="unregister it before"
            )
        return {_KEPT_AS: asdict(named)}

    async def release(self, resource: Registered) -> None:
        """Remove the object of what was registered, if it is still there."""
        if (named := self.kept_as(resource)) is None:
            return
        try:
            exchange = await self._http.send(Outgoing(method="DELETE", url=self._at(named)))
        except UpstreamRejected as error:
            if error.upstream_status != 404:
                raise
        else:
            await exchange.close()

    @staticmethod
    def kept_as(resource: Registered) -> Named | None:
        """How the object of a registration is called; None for what the run config lists, of which none is made."""
        found = resource.facts.get(_KEPT_AS)
        return Named(**found) if found else None

    async def _create(self, named: Named, facts: Mapping[str, Any]) -> None:
        try:
            await self._http.value(json_request(self._url, {**asdict(named), **facts}))
        except UpstreamRejected as error:
            if error.upstream_status != 409:
                raise
            there = await self._http.value(Outgoing(method="GET", url=self._at(named)))
            if not isinstance(there, dict) or any(there.get(name) != value for name, value in facts.items()):
                raise Conflict(
                    f"NeMo has another `{named}`", hint="give this one another name, or remove that one there"
                ) from error

    async def _replace(self, named: Named, facts: Mapping[str, Any]) -> None:
        try:
            await self._http.value(json_request(self._at(named), dict(facts), method="PATCH"))
        except UpstreamRejected as error:
            if error.upstream_status != 404:
                raise
            await self._create(named, facts)

    def _at(self, named: Named) -> str:
        return f"{self._url}/{quote(named.namespace, safe='')}/{quote(named.name, safe='')}"
