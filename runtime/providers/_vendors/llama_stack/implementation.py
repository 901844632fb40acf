"""The life of an implementation that was written for llama-stack: made at the start, released at the end.

Such a package calls what it is given by its own interface: a `model_store` that knows names, and no other API.
"""

from __future__ import annotations

import importlib
import inspect
from types import SimpleNamespace
from typing import Any

from pydantic import BaseModel

from runtime.errors import NotSupported, Unavailable
from runtime.provider import ProviderContext
from runtime.providers._vendors.llama_stack.calling import call


class LlamaStackProvider:
    """A provider of theirs. Raises Unavailable while it has not started."""

    def __init__(self, config: BaseModel, context: ProviderContext) -> None:
        self.provider_id = context.provider_id
        self._config = config
        self._spec = context.spec
        self._implementation: Any = None

    async def start(self) -> None:
        module = importlib.import_module(self._spec.facts.module)
        names = ("get_adapter_impl", "get_provider_impl")
        make = next((getattr(module, name) for name in names if hasattr(module, name)), None)
        if make is None:
            raise Unavailable(f"the package `{self._spec.package}` has no {' or '.join(f'`{name}`' for name in names)}")
        given: tuple[Any, ...] = (self._config, {}, [])  # settings, other APIs, access rules: as many as it takes
        made = make(*given[: len(inspect.signature(make).parameters)])
        implementation = await made if inspect.isawaitable(made) else made
        implementation.__provider_id__ = self.provider_id
        implementation.__provider_spec__ = self._spec.facts.stated
        implementation.__provider_config__ = self._config
        for store in ("model_store", "tool_store"):
            if getattr(implementation, store, None) is None:  # their Protocols have it as None
                setattr(implementation, store, _Names(self.provider_id))
        self._implementation = implementation

    async def stop(self) -> None:
        implementation, self._implementation = self._implementation, None
        if hasattr(implementation, "shutdown"):
            await implementation.shutdown()

    def has(self, name: str) -> bool:
        """Whether the implementation has a method."""
        return callable(getattr(self._implementation, name, None))

    async def ask(self, name: str, body: dict[str, Any]) -> Any:
        """What a method of theirs returns for the fields of a request. Raises NotSupported where it has none, and what
        `call` raises.
        """
        if self._implementation is None:
            raise Unavailable(f"`{self.provider_id}` has not started")
        if not self.has(name):
            raise NotSupported(f"`{self.provider_id}` has no `{name}`")
        return await call(getattr(self._implementation, name), body, provider_id=self.provider_id)


class _Names:
    """What they look names up in. The router has already put the provider's own name in the place of ours."""

    def __init__(self, provider_id: str) -> None:
        self._provider_id = provider_id

    async def has_model(self, identifier: str) -> bool:
        return True

    async def get_model(self, identifier: str) -> Any:
        return self._named(identifier, model_type="llm")

    async def get_tool(self, identifier: str) -> Any:
        return self._named(identifier, toolgroup_id=None)

    def _named(self, identifier: str, **more: Any) -> Any:
        names = {"identifier": identifier, "provider_resource_id": identifier, "provider_id": self._provider_id}
        return SimpleNamespace(**names, metadata={}, **more)
