"""A vector database under test, as a suite's module states it: `SUBJECTS = {"acme": embedded(SPEC)}`."""

from __future__ import annotations

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
from runtime.spec import Spec

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


def adapter(spec: Spec, config: Mapping[str, Any], state_dir: Path) -> Opened:
    """What a run config's entry would be: its config is validated, and its adapter loaded. Raises pydantic's
    ValidationError.
    """
    http = HttpClient(PROVIDER_ID)
    settings = config_model(spec).model_validate(config)
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

    spec: Spec
    config: Callable[[Path], Mapping[str, Any]]
    broken: Callable[[Path], Opened]

    def open(self, folder: Path) -> Opened:
        """A new adapter. Those of one folder have the same vectors, if the earlier is stopped, and another folder
        begins with none.
        """
        return adapter(self.spec, self.config(folder), folder)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How to get a subject. start: called once a module, with a folder for a server's own files; skips with the reason
    where there is no such server.

    abilities: `exact`, finds what is nearest and not just nearly all of it; `alone`, needs no server and keeps its
    vectors in the folder that it is given, so that another process can have it too.
    """

    spec: Spec
    start: Callable[[Path], AbstractContextManager[Subject]]
    abilities: frozenset[str]


def embedded(spec: Spec, *, is_exact: bool = True, **config: Any) -> Kind:
    """A database in this process, in the folder that it is opened in."""

    def broken(folder: Path) -> Opened:
        blocked = folder / "a file, no folder"
        blocked.write_text("")
        return adapter(spec, config, blocked)

    @contextmanager
    def started(folder: Path) -> Iterator[Subject]:
        yield Subject(spec=spec, config=lambda _: config, broken=broken)

    abilities = {"alone", "exact"} if is_exact else {"alone"}
    return Kind(spec=spec, start=started, abilities=frozenset(abilities))
