"""What a batch can ask: the operations of other APIs at the paths of their routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from runtime.apis._request import Request
from runtime.apis.inference import API as INFERENCE
from runtime.apis.inference.protocol import Inference
from runtime.apis.responses import API as RESPONSES
from runtime.apis.responses.protocol import Responses
from runtime.apis.safety import API as SAFETY
from runtime.apis.safety.protocol import Safety
from runtime.errors import NotSupported
from runtime.provider import ProviderContext


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """request: the model of a line's body. ask: the routed API's method."""

    request: type[Request]
    ask: Callable[[Any], Awaitable[Any]]


class Endpoints:
    """Those of the APIs that this stack serves."""

    def __init__(self, context: ProviderContext) -> None:
        served = {
            INFERENCE: context.api(Inference),  # type: ignore[type-abstract]
            RESPONSES: context.optional_api(Responses),  # type: ignore[type-abstract]
            SAFETY: context.optional_api(Safety),  # type: ignore[type-abstract]
        }
        self._by_path = {
            operation.route.path: Endpoint(request=operation.request, ask=getattr(api, operation.name))
            for facts, api in served.items()
            if api is not None
            for operation in facts.operations()
            if operation.route.method == "POST"
        }

    def at(self, path: str) -> Endpoint:
        """Raises NotSupported for a path whose API is not served."""
        try:
            return self._by_path[path]
        except KeyError:
            raise NotSupported(f"`{path}` is not served by this stack", param="endpoint") from None
