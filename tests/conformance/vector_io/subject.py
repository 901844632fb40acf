"""A vector database under test, and where to find one: each module of `subjects/` has a `KIND`, listed nowhere."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime import discovery
from runtime.config.provider_settings import config_model
from runtime.conformance.contexts import provider_context
from runtime.http.client import HttpClient
from runtime.provider import Stops
from tests.conformance.vector_io import subjects

PROVIDER_ID = "acme"


@dataclass(frozen=True)
class Opened:
    """An adapter with its own client."""

    adapter: Any
    http: HttpClient

    async def stop(self) -> None:
        if isinstance(self.adapter, Stops):
            await self.adapter.stop()
        await self.http.close()


def adapter(provider_type: str, config: Mapping[str, Any], state_dir: Path) -> Opened:
    """What a run config's entry would be: its config is validated, and its adapter loaded."""
    spec, http = discovery.built_in().by_type["vector_io", provider_type], HttpClient(PROVIDER_ID)
    model = config_model(spec)
    settings = model.model_validate(config)
    secret = getattr(settings, "api_key", None)
    context = provider_context(
        spec,
        http=http,
        key=secret.get_secret_value() if secret else None,
        state_dir=state_dir,
        provider_id=PROVIDER_ID,
    )
    return Opened(discovery.load(spec.adapter, package=spec.module)(settings, context), http)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """config: of the run config's entry, for a folder. broken: an adapter whose database cannot be used."""

    provider_type: str
    config: Callable[[Path], Mapping[str, Any]]
    broken: Callable[[Path], Opened]

    def open(self, folder: Path) -> Opened:
        """A new adapter. Those of one folder have the same vectors, if the earlier is stopped, and another folder
        begins with none.
        """
        return adapter(self.provider_type, self.config(folder), folder)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How to get a subject. start: called once a run, with a folder for a server's own files; skips with the reason
    where there is no such server.

    abilities: `exact`, finds what is nearest and not just nearly all of it; `alone`, needs no server, so that another
    process can have it too.
    """

    provider_type: str
    start: Callable[[Path], AbstractContextManager[Subject]]
    abilities: frozenset[str]


def found() -> dict[str, Kind]:
    """Every kind by the name of its module."""
    names = sorted(module.name for module in pkgutil.iter_modules(subjects.__path__))
    return {name: importlib.import_module(f"{subjects.__name__}.{name}").KIND for name in names}


def embedded(provider_type: str, *, is_exact: bool = True, **config: Any) -> Kind:
    """A database in this process, in the folder that it is opened in."""

    def broken(folder: Path) -> Opened:
        blocked = folder / "a file, no folder"
        blocked.write_text("")
        return adapter(provider_type, config, blocked)

    @contextmanager
    def started(folder: Path) -> Iterator[Subject]:
        yield Subject(provider_type=provider_type, config=lambda _: config, broken=broken)

    abilities = {"alone", "exact"} if is_exact else {"alone"}
    return Kind(provider_type=provider_type, start=started, abilities=frozenset(abilities))
