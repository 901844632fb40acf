"""What a batch can ask: the operations of other APIs at the paths of their routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runtime.apis._api import Api
from runtime.apis._request import Request
from runtime.errors import NotSupported


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """request: the model of a line's body. ask: the routed API's method."""

    request: type[Request]
    ask: Callable[[Any], Awaitable[Any]]


class Endpoints:
    """served: the routed APIs that a batch can ask, None in place of one that this stack does not serve."""

    def __init__(self, served: Mapping[Api, object | None]) -> None:
        self._by_path = {
            operation.route.path: Endpoint(request=operation.request, ask=getattr(api, operation.name))
            for facts, api in served.items()
            if api is not None
            for operation in facts.operations()
            if operation.route.method == "POST"
        }

    def at(self, path: str) -> Endpoint:
        """Raises NotSupported for any other path."""
        try:
            return self._by_path[path]
        except KeyError:
            raise NotSupported(f"`{path}` is not served by this stack", param="endpoint") from None
