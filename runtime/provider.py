"""What an adapter receives, and the optional methods it may have.

Everything is passed to the constructor: `Adapter(config, context)`. Nothing here knows a server, a router or another
provider.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel

from runtime.apis._request import Registered
from runtime.apis.inspect.protocol import RouteInfo
from runtime.apis.models import ModelType
from runtime.apis.providers.protocol import ProviderHealth, ProviderInfo
from runtime.errors import StackError, Unavailable
from runtime.http.client import HttpClient
from runtime.http.keys import ProviderKeys
from runtime.http.transport import Key
from runtime.spec import Spec
from runtime.sse import Json, Reply
from runtime.storage.jobs import Jobs
from runtime.storage.stores import Storage
from runtime.telemetry.batching import Exporter

T = TypeVar("T")
log = logging.getLogger(__name__)


@runtime_checkable
class Starts(Protocol):
    """Has work to do once the server answers: load weights, open connections. If it raises, the provider is degraded
    and the stack runs on.
    """

    async def start(self) -> None: ...


@runtime_checkable
class Loads(Protocol):
    """A provider whose requests wait while it starts. load_timeout_s: the longest wait."""

    load_timeout_s: float


@runtime_checkable
class Stops(Protocol):
    """Has something to release when the stack ends."""

    async def stop(self) -> None: ...


@runtime_checkable
class HasHealth(Protocol):
    """A provider that can check its health beyond having started. The caller waits at most 3 s."""

    async def check_health(self) -> ProviderHealth: ...


@runtime_checkable
class HasFigures(Protocol):
    """A provider that computes models itself, and can say at any time how much there is to do."""

    def figures(self) -> Mapping[str, Mapping[str, float]]:
        """Of each model that is there, its figures by name: see `runtime.engine.requests.metrics`. Asked every few
        seconds, and answered without waiting for anything.
        """
        ...


@runtime_checkable
class HoldsBytes(Protocol):
    """Keeps bytes outside of the databases for rows of tables that are pruned by `expire`, so that `storage export` and
    `import` take both along. table: as its schema calls it.
    """

    def bytes_of(self, table: str, row: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        """The bytes of a row, `size_bytes` of them."""
        ...

    async def keep_bytes(self, table: str, row: Mapping[str, Any], content: AsyncIterable[bytes]) -> None:
        """Keep them for a row that is written afterwards, in place of any that are there."""
        ...


@runtime_checkable
class LimitsUploads(Protocol):
    """Takes smaller files than the routes of its API let through. A form whose file comes before fields that the
    request needs is stored until they are there, and only as far as this allows.
    """

    def check_upload(self, operation: str, size_bytes: int) -> None:
        """Raises TooLarge for a file that `operation`, a method of the API, does not take."""
        ...


@runtime_checkable
class ChecksRegistrations(Protocol):
    """Can say of a resource that a user registers with it that it could never be used."""

    async def check_registration(self, resource: Registered) -> None:
        """Called before it is kept. Raises RequestError."""
        ...


@runtime_checkable
class KeepsRegistrations(Protocol):
    """Keeps something of its own for what users register with it, such as a dataset's rows."""

    async def take_registration(self, resource: Registered, before: Registered | None) -> Mapping[str, Any]:
        """Called before it is kept, and once it could be. before: what it takes the place of, of the same name; None
        where it is new. Returns the facts that are kept of it instead of its own of these names. Raises StackError;
        what is kept is to be whole, should the process end now.
        """
        ...

    async def release_registration(self, resource: Registered) -> None:
        """Called after it was forgotten. What fails is logged, and nobody calls it again."""
        ...


@dataclass(frozen=True, kw_only=True)
class ListedModel:
    """A model that a provider lists, by the provider's own name. model_type: None if the provider does not say."""

    provider_model_id: str
    model_type: ModelType | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class ListsModels(Protocol):
    """A provider that knows which models it serves; asked at start, every few minutes, and when a name is not known.

    For an entry without a usable name, return a ListedModel with an empty name: the stack leaves it out and reports it.
    """

    async def list_models(self) -> list[ListedModel]: ...


class StackView(Protocol):
    """The parts of its stack that a provider may see."""

    async def provider_infos(self, *, provider_id: str | None = None, api: str | None = None) -> list[ProviderInfo]:
        """Every provider with its health, or only those of one id or API; the others are not asked for their health."""
        ...

    def provider_ids(self, api: str | None = None) -> list[str]:
        """The id of each provider, or of each one of an API, in the order of the run config."""
        ...

    def turned_on_by(self, api: str | None = None) -> dict[str, str]:
        """The ids of the providers that are off, of all APIs or of one, each with how to turn it on, for messages."""
        ...

    def routes(self) -> list[RouteInfo]: ...


class Told(Protocol):
    """What is told of a request that is replayed."""

    @property
    def scope(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def operation(self) -> str: ...
    @property
    def words(self) -> str: ...


class Missed(Told, Protocol):
    """A request that was not recorded. differences: path, what was recorded, what is asked."""

    @property
    def nearest(self) -> Path | None: ...
    @property
    def differences(self) -> Sequence[tuple[str, str, str]]: ...


class Decided(Told, Protocol):
    """A request that several recordings fitted, and by which rule one of them answered it."""

    @property
    def path(self) -> Path: ...
    @property
    def rule(self) -> str: ...


class Spans(Protocol):
    """What happens in the stack, for whoever keeps, counts or sends it."""

    def add(self, exporter: Exporter) -> None: ...

    def without_secrets(self, text: str, /) -> str:
        """A text that spans state, without the secrets of the stack's configuration."""
        ...

    async def flush(self) -> None:
        """Returns when every exporter has what has ended until now."""
        ...


class Recorded(Protocol):
    """A part of a provider's work that is recorded by itself, where a replay does all the rest for real."""

    async def __call__(
        self, name: str, asked: Json, work: Callable[[], Awaitable[Reply]], *, check: Callable[[bytes], object]
    ) -> Reply:
        """What the work gives: in a replay what was recorded, else what it does, as it was recorded: without secrets.
        name: of the work; asked: what it depends on. check: raises ValueError for what it never gives. Raises what the
        work does, RequestError for what was not recorded, StackError for a recording that is damaged.
        """
        ...


class Recorder(Protocol):
    """What the stack records or replays. failure: why the last recording was not written; empty where it was."""

    mode: Literal["record", "replay", "record-if-missing"]
    folder: Path
    failure: str

    @property
    def misses(self) -> Sequence[Missed]: ...

    @property
    def decisions(self) -> Sequence[Decided]: ...

    @property
    def test(self) -> str: ...

    def begin(self, test: str) -> None: ...

    def scope_of(self, test: str) -> str: ...

    def __len__(self) -> int: ...


class LeadsBack(Unavailable):
    """An upstream that is this stack itself, or that sends its requests back to it. Its models are no longer served."""

    code = "upstream_is_this_stack"


async def contained(work: Awaitable[T]) -> T:
    """What a provider's work returns or raises. Raises RuntimeError if a library tries to end the process."""
    try:
        return await work
    except SystemExit as error:
        raise RuntimeError("it tried to end the process") from error


class Tasks:
    """Background work of a provider: cancelled when the provider ends; failures are logged.

    It runs without the context of a request, since it continues after the request that began it: it must not use that
    request's keys. Work for a user must be given the user.
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
        """Cancel what still runs, also what that begins while it ends, and wait until all of it has ended."""
        while running := list(self._running):
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


@dataclass(frozen=True, kw_only=True)
class ProviderContext:
    """What a provider is given.

    http: its own client, closed with it. storage: `kv(store)`. state_dir: a folder of its own; the provider makes it
    before it writes there. shared_cache_dir: for `cache_dir`. models_dir: where models are that the user downloaded or
    imported, None where there is no such folder. list_changed: to be called when `list_models` has something new to
    say. tasks: background work. stack: what it may see of the stack. find_api, find_optional_api, find_jobs, find_loop:
    called by `api`, `optional_api`, `jobs` and `check_upstream`. registered: what the run config lists of the kind that
    its API keeps itself, but for what belongs to a provider that is off. registrations: what users have
    registered with it, as it is kept now. configured_key: the `api_key` of its config, for `keys`. recorder, recorded:
    None where nothing is recorded or replayed. spans: None where nothing is told; a provider of `telemetry` is told
    everything.
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
    find_jobs: Callable[[], Jobs]
    find_loop: Callable[[Mapping[str, str]], bool]
    list_changed: Callable[[], None] = lambda: None
    registrations: Callable[[], Sequence[Registered]] = tuple
    shared_cache_dir: Path | None = None
    models_dir: Path | None = None
    registered: Sequence[BaseModel] = ()
    configured_key: str | None = field(default=None, repr=False)
    recorder: Recorder | None = None
    recorded: Recorded | None = None
    spans: Spans | None = None

    @cached_property
    def keys(self) -> ProviderKeys:
        """Its keys, for the strategies of `http.auth`. A caller sends a key under the vendor's name, as in llama-stack,
        or under the provider's id, if a vendor is configured twice.
        """
        vendor, own = self.spec.name.replace("-", "_"), self.provider_id.replace("-", "_")
        names = tuple(dict.fromkeys((f"{own}_api_key", f"{vendor}_api_key", f"{vendor}_api_token")))
        hint = f"set {self.spec.key_env or 'api_key in its config'}"
        return ProviderKeys(self.provider_id, names, configured=self.configured_key, hint=hint)

    @cached_property
    def jobs(self) -> Jobs:
        """Durable work: `handle(kind, function)` in the constructor. They are done while the provider is ready."""
        return self.find_jobs()

    @property
    def cache_dir(self) -> Path:
        """A folder for what can be made again: one for all distributions of this user where that can be written, else
        this provider's own. Others may write and remove files there at any time.
        """
        return self.shared_cache_dir or self.state_dir

    def key(self) -> Key | None:
        """The key for the request being served: the caller's, else the configured one; None if there is neither.

        Raises AuthenticationError (the caller's) or Unavailable (the configured one) for an invalid key.
        """
        return self.keys.get()

    def check_upstream(self, headers: Mapping[str, str]) -> None:
        """Check the headers of an upstream's answer. Raises LeadsBack if the answer passed through this stack."""
        if self.find_loop(headers):
            raise LeadsBack(
                f"the address of provider `{self.provider_id}` leads back to this server",
                hint="set the address of another server in its config",
            )

    def api(self, protocol: type[T]) -> T:
        """A routed API that the spec lists in `needs`: its calls raise Unavailable while its provider is down.

        Raises LookupError for an API that the spec does not list.
        """
        found: T = self.find_api(protocol)
        return found

    def optional_api(self, protocol: type[T]) -> T | None:
        """A routed API that the spec lists in `may_use`; None if no provider serves it."""
        found: T | None = self.find_optional_api(protocol)
        return found


def healthy(message: str | None = None, *, metrics: dict[str, dict[str, float]] | None = None) -> ProviderHealth:
    return ProviderHealth(status="OK", state="ready", message=message, metrics=metrics)


def unhealthy(message: str, *, state: Literal["starting", "needs-key", "degraded"] = "degraded") -> ProviderHealth:
    return ProviderHealth(status="Error", state=state, message=message)
