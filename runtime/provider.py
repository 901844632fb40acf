"""What an adapter is given, and the small things it may offer in return.

Everything arrives in the constructor: `Adapter(config, context)`. Nothing here knows a server, a router or another
provider.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from runtime.apis.inspect import RouteInfo
from runtime.apis.models import ModelType
from runtime.apis.providers import ProviderHealth, ProviderInfo
from runtime.errors import StackError, Unavailable
from runtime.http.client import HttpClient
from runtime.http.keys import ProviderKeys
from runtime.http.transport import Key
from runtime.spec import Spec
from runtime.storage.stores import Storage

T = TypeVar("T")
log = logging.getLogger(__name__)


@runtime_checkable
class Starts(Protocol):
    """Work to do once the server answers: load weights, open connections. Raising leaves the provider degraded, and
    the stack up.
    """

    async def start(self) -> None: ...


@runtime_checkable
class Loads(Protocol):
    """A provider whose requests wait while it starts. load_timeout_s: for how long at most."""

    load_timeout_s: float


@runtime_checkable
class Stops(Protocol):
    """What to release when the stack ends."""

    async def stop(self) -> None: ...


@runtime_checkable
class HasHealth(Protocol):
    """A provider that can tell more of its health than that it started. Bounded to 3 s by the caller."""

    async def check_health(self) -> ProviderHealth: ...


@dataclass(frozen=True, kw_only=True)
class ListedModel:
    """A model that a provider says it has, by the provider's own name. model_type: None where the provider does not
    tell.
    """

    provider_model_id: str
    model_type: ModelType | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class ListsModels(Protocol):
    """A provider that knows which models it serves; asked at start, every few minutes, and when a name is not known.

    An entry without a usable name is a ListedModel with an empty one: the stack leaves it out and says so.
    """

    async def list_models(self) -> list[ListedModel]: ...


class StackView(Protocol):
    """What a provider may see of the stack it is part of."""

    async def provider_infos(self, *, provider_id: str | None = None, api: str | None = None) -> list[ProviderInfo]:
        """Every provider with its health, or those of one id or API; only these are asked how they are."""
        ...

    def provider_ids(self) -> list[str]: ...

    def routes(self) -> list[RouteInfo]: ...


class LeadsBack(Unavailable):
    """An upstream that is this stack itself, or that asks it in turn. What it listed is served no more."""

    code = "upstream_is_this_stack"


async def contained(work: Awaitable[T]) -> T:
    """What a provider's work returns or raises. Raises RuntimeError in place of a library's wish to end the process."""
    try:
        return await work
    except SystemExit as error:
        raise RuntimeError("it wanted to end the process") from error


class Tasks:
    """Background work with an owner: ended with the provider it belongs to, and a failure is logged rather than
    lost. It runs in nobody's name: it outlives the request that began it, and must have neither its keys nor its
    deadline. Work for a user takes the user along.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        task = asyncio.create_task(contained(work), name=f"{self._owner}: {name}", context=contextvars.Context())
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            words = str(failure) if isinstance(failure, StackError) else repr(failure)
            log.error("background task failed", extra={"task": task.get_name(), "error": words}, exc_info=failure)

    async def close(self) -> None:
        """Cancel what still runs and wait for its `finally`s."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


@dataclass(frozen=True, kw_only=True)
class ProviderContext:
    """What a provider is given.

    http: its own client, closed with it. storage: `kv(store)`. state_dir: a folder of its own, created on first use
    by whoever writes.
    tasks: background work. stack: what it may see of the rest. find_api, find_optional_api: what `api` and
    `optional_api` ask. find_loop: what `check_upstream` asks. configured_key: the `api_key` of its config, which `key`
    reads.
    """

    provider_id: str
    spec: Spec
    http: HttpClient
    storage: Storage
    state_dir: Path
    tasks: Tasks
    stack: StackView
    find_api: Callable[[type], Any]
    find_optional_api: Callable[[type], Any]
    find_loop: Callable[[Mapping[str, str]], bool]
    configured_key: str | None = field(default=None, repr=False)

    @cached_property
    def keys(self) -> ProviderKeys:
        """Its keys, for the strategies of `http.auth`. A caller names one by vendor, as llama-stack does, or by the
        provider's id, where a vendor is configured twice.
        """
        vendor, own = self.spec.name.replace("-", "_"), self.provider_id.replace("-", "_")
        names = tuple(dict.fromkeys((f"{own}_api_key", f"{vendor}_api_key", f"{vendor}_api_token")))
        hint = f"set {self.spec.key_env or 'api_key in its config'}"
        return ProviderKeys(self.provider_id, names, configured=self.configured_key, hint=hint)

    def key(self) -> Key | None:
        """The key for the request being served: the caller's, else the configured one; None for neither.

        Raises AuthenticationError or Unavailable for what no key can be.
        """
        return self.keys.get()

    def check_upstream(self, headers: Mapping[str, str]) -> None:
        """Look at the headers of an upstream's answer. Raises LeadsBack where it came by way of this stack."""
        if self.find_loop(headers):
            raise LeadsBack(
                f"the address of provider `{self.provider_id}` leads back to this server",
                hint="set the address of another server in its config",
            )

    def api(self, protocol: type[T]) -> T:
        """An API that its spec lists in `needs`, routed: its calls raise Unavailable while its provider is down.

        Raises LookupError for one that the spec does not list.
        """
        found: T = self.find_api(protocol)
        return found

    def optional_api(self, protocol: type[T]) -> T | None:
        """An API that its spec lists in `may_use`, routed; None where nobody provides it."""
        found: T | None = self.find_optional_api(protocol)
        return found


def healthy(message: str | None = None) -> ProviderHealth:
    return ProviderHealth(status="OK", state="ready", message=message)


def unhealthy(message: str, *, state: Literal["starting", "needs-key", "degraded"] = "degraded") -> ProviderHealth:
    return ProviderHealth(status="Error", state=state, message=message)
