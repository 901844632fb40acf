"""Forwards each operation of an API to a provider: the owner of the resource that the request names, the provider that
it names, or the only one. Every API is served through this.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from runtime.apis._api import PROVIDER_ID, Api, Operation
from runtime.errors import StackError
from runtime.routing.adapters import Adapters, Method
from runtime.routing.entry import Entry
from runtime.routing.registry import Registry
from runtime.storage.stores import Storage


@dataclass(frozen=True, kw_only=True)
class Routing:
    """What a router of an API is made of.

    registers: the registry of the API's own resources. routes_by: the registry of the resources that its providers own,
    which routes operations with a `key`. storage: where a router keeps what its own logic needs. settings: the run
    config's section of the API, None where it has none. find_api: another API that is routed, None for any other; asked
    when it is needed, since that one may be made later.
    """

    api: Api
    registers: Registry | None
    routes_by: Registry | None
    adapters: Adapters
    storage: Storage
    settings: BaseModel | None = None
    find_api: Callable[[str], Any] = lambda _: None


class Router:
    """Implements an API: each operation is a method that asks the registry or a provider.

    If an API's routing has logic of its own, a subclass has methods for it.
    """

    def __init__(self, routing: Routing) -> None:
        self._api = routing.api
        self._routes_by = routing.routes_by
        self._adapters = routing.adapters
        for operation in routing.api.operations():
            if operation.route.registry is not None and routing.registers is not None:
                setattr(self, operation.name, routing.registers.method(operation))
            elif not hasattr(type(self), operation.name):
                setattr(self, operation.name, self._forwarding(operation))

    def check_upload(self, name: str, size_bytes: int) -> None:
        """Raises TooLarge for a file that an operation's providers do not take, whatever else its request says."""
        self._adapters.check_upload(name, size_bytes)

    def _forwarding(self, operation: Operation) -> Method:
        function = getattr(self._api.protocol, operation.name)
        if operation.route.method == "WS":
            return self._forwarding_messages(operation)
        if inspect.iscoroutinefunction(function):

            async def forward(request: Any) -> Any:
                method, routed = await self._route(operation, request)
                return await method(routed)

            return forward

        async def stream(request: Any) -> AsyncGenerator[Any, None]:
            method, routed = await self._route(operation, request)
            async with aclosing(method(routed)) as events:
                async for event in events:
                    yield event

        return stream

    def _forwarding_messages(self, operation: Operation) -> Method:
        def forward(messages: Any) -> Any:
            return self._adapters.method(self._adapters.only(), operation.name)(messages)

        return forward

    async def _route(self, operation: Operation, request: Any) -> tuple[Method, Any]:
        """The provider's method for a request, and the request with the provider's own name for the resource."""
        key = operation.route.key
        name = getattr(request, key) if key is not None else None
        if name is None or key is None:
            return self._adapters.method(self._adapters.only(key), operation.name), request
        if key == PROVIDER_ID:
            return self._adapters.method(name, operation.name), request
        resource = await self._owned(name, key)
        return self._method_of(resource, operation.name, name), request.routed_by(resource, key)

    async def _owned(self, name: str, key: str) -> Entry:
        """The resource that a request names in its field `key`. Raises as `Registry.resolve` does."""
        try:
            return await self._owners.resolve(name)
        except StackError as error:
            if error.param == self._owners.resource.kind:
                error.param = key  # the name of the field in this request, which the registry does not know
            raise

    def _method_of(self, resource: Entry, operation: str, name: str) -> Method:
        """The method of a resource's provider. name: what the request calls the resource."""
        what = f"{self._owners.title} `{name}`"
        return self._adapters.method(resource.provider_id, operation, what=what)

    @property
    def _owners(self) -> Registry:
        assert self._routes_by is not None, f"no resource is served by {self._api.name}"
        return self._routes_by
