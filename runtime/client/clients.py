"""`LlamaStackAsLibraryClient` and its twin for coroutines: the official client over a stack in this process.

Where `llama-stack-client` or a like-made `ogx-client` is installed, each is that client too, and has its resources.
That one is imported when the first client is made, since it takes a second.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from runtime.client.http_clients import URL
from runtime.server.memory import a_start_in_a_program

if TYPE_CHECKING:
    from runtime.client.async_stack import AsyncStack
    from runtime.client.sync_stack import SyncStack

_WAIT_S = 10.0
"""As long as the connection to a vendor may take. What a model that is still being loaded is asked waits for it."""
_OFFICIAL = {"llama_stack_client": "LlamaStackClient", "ogx_client": "OgxClient"}
"""The packages whose client's class is extended, in order of preference, with its name there."""


class _Library:
    """What both clients share: resources of the official client, and its settings."""

    _prefix = ""

    def __new__(cls, *_: Any, **__: Any) -> Self:
        made: Self = object.__new__(_with_resources(cls, cls._prefix))  # type: ignore[arg-type]  # a class can be hashed
        return made

    def __getattr__(self, name: str) -> Any:
        hint = ""
        if not name.startswith("_") and _official_of(type(self)) is None:
            hint = "; its resources are those of `llama-stack-client`, which is not installed: install it, or use "
            hint += "`http_client()`"
        raise AttributeError(f"`{type(self).__name__}` has no `{name}`{hint}", name=name, obj=self)

    def _set_up(self, stack: Any, settings: dict[str, Any]) -> None:
        """Raises TypeError for settings that nobody reads."""
        self._llama_stack = stack
        if (official := _official_of(type(self))) is not None:
            library = _http_library_of(official)
            settings.setdefault("api_key", "none")
            official.__init__(self, base_url=URL, http_client=stack.http_client(library), **settings)
        elif settings:
            raise TypeError(f"without the package `llama-stack-client`, there are no settings {', '.join(settings)}")

    def copy(self, **options: Any) -> Any:
        """The official client with other options, over the same stack; it does not close the stack."""
        official = _official_of(type(self))
        if official is None:
            return self.__getattr__("copy")
        plain = official.__new__(official)
        plain.__dict__.update(self.__dict__)
        return plain.copy(**options)

    with_options = copy


class LlamaStackAsLibraryClient(_Library):
    """A stack in this process, opened when this is made, and closed with `close` or at the end of a `with` block.

    Any thread may use it, also one with a running event loop, which then waits as for any other client.
    """

    def __init__(
        self,
        config_path_or_distro_name: str | Path,
        *,
        provider_data: Mapping[str, Any] | None = None,
        state_dir: str | Path | None = None,
        wait_s: float = _WAIT_S,
        skip_logger_removal: bool = True,
        custom_provider_registry: None = None,
        **settings: Any,
    ) -> None:
        """config_path_or_distro_name: as for `llama stack run`; nothing is built or installed. provider_data: keys and
        settings for providers, as in the header `X-LlamaStack-Provider-Data`. state_dir: instead of the distribution's
        own folder. wait_s: how long to wait until every provider has started, with its models, or failed. settings: of
        the official client, such as `timeout` and `max_retries`.

        skip_logger_removal, custom_provider_registry: of older clients; no logger is ever removed.

        Raises NotFound, ConfigInvalid with every problem, and Conflict for a state folder that is in use.
        """
        _refuse_registry(custom_provider_registry)
        with a_start_in_a_program():
            from runtime.client.chosen import choose
            from runtime.client.sync_stack import SyncStack

            chosen = choose(config_path_or_distro_name, state_dir=Path(state_dir) if state_dir else None)
        stack = SyncStack(chosen, provider_data=provider_data, wait_s=wait_s)
        try:
            self._set_up(stack, settings)
        except BaseException:
            stack.close()
            raise

    def initialize(self) -> bool:
        """True: it is open already. Older clients had to be told."""
        return True

    def http_client(self, library: ModuleType | None = None) -> Any:
        """See `SyncStack.http_client`. For OpenAI's client: `OpenAI(http_client=stack.http_client(), ...)`."""
        stack: SyncStack = self._llama_stack
        return stack.http_client(library)

    def close(self) -> None:
        """End what still runs with an error, stop the providers, and let go of the state folder."""
        stack: SyncStack = self._llama_stack
        stack.close()
        if (official := _official_of(type(self))) is not None:
            official.close(self)

    shutdown = close

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncLlamaStackAsLibraryClient(_Library):
    """A stack on the event loop that first uses it: opened by `initialize`, `create`, `async with` or the first
    request, and closed with `close` or at the end of the block.
    """

    _prefix = "Async"

    def __init__(
        self,
        config_path_or_distro_name: str | Path,
        *,
        provider_data: Mapping[str, Any] | None = None,
        state_dir: str | Path | None = None,
        wait_s: float = _WAIT_S,
        skip_logger_removal: bool = True,
        custom_provider_registry: None = None,
        **settings: Any,
    ) -> None:
        """As for `LlamaStackAsLibraryClient`. Reads and plans the run config. Raises NotFound and ConfigInvalid."""
        _refuse_registry(custom_provider_registry)
        with a_start_in_a_program():
            from runtime.client.async_stack import AsyncStack
            from runtime.client.chosen import choose

            chosen = choose(config_path_or_distro_name, state_dir=Path(state_dir) if state_dir else None)
        self._set_up(AsyncStack(chosen, provider_data=provider_data, wait_s=wait_s), settings)

    @classmethod
    async def create(cls, config_path_or_distro_name: str | Path, **settings: Any) -> Self:
        """A client whose stack is open. settings: as for the class. Raises as that and `initialize` do."""
        client = cls(config_path_or_distro_name, **settings)
        await client.initialize()
        return client

    async def initialize(self) -> bool:
        """Open the stack, unless it is open. Returns True. Raises Conflict for a state folder that is in use,
        RuntimeError on another event loop than the one that it was opened on.
        """
        stack: AsyncStack = self._llama_stack
        await stack.open()
        return True

    def http_client(self, library: ModuleType | None = None) -> Any:
        """See `AsyncStack.http_client`."""
        stack: AsyncStack = self._llama_stack
        return stack.http_client(library)

    async def close(self) -> None:
        """End what still runs with an error, stop the providers, and let go of the state folder."""
        stack: AsyncStack = self._llama_stack
        await stack.close()
        if (official := _official_of(type(self))) is not None:
            await official.close(self)

    aclose = close
    shutdown = close

    async def __aenter__(self) -> Self:
        await self.initialize()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


def _refuse_registry(registry: object) -> None:
    """Raises TypeError."""
    if registry is not None:
        raise TypeError("`custom_provider_registry` is not read: providers are found by their entry in the run config")


@cache
def _with_resources(cls: type[object], prefix: str) -> type:
    """A class that is the official client too; the same class where that is not installed."""
    official = _official(prefix)
    if official is None or issubclass(cls, official):
        return cls
    return type(cls.__name__, (cls, official), {"__module__": cls.__module__, "__doc__": cls.__doc__})


@cache
def _official(prefix: str) -> type | None:
    """The official client's class. Raises ImportError where what it needs is not installed."""
    for package, name in _OFFICIAL.items():
        try:
            module = importlib.import_module(package)
        except ModuleNotFoundError as error:
            if error.name != package:
                raise
            continue
        if not hasattr(module, "Configuration"):  # of another generator's templates, without an `http_client`
            found: type = getattr(module, prefix + name)
            return found
    return None


def _official_of(cls: type) -> Any:
    """The official class behind a client's, None if there is none."""
    return next((base for base in cls.__mro__ if base.__module__.partition(".")[0] in _OFFICIAL), None)


def _http_library_of(official: type) -> ModuleType:
    """The HTTP library whose client it takes: the one that the module of its base class imports."""
    base = vars(sys.modules[official.__mro__[1].__module__])
    library: ModuleType = base.get("httpx") or base["httpx2"]
    return library
