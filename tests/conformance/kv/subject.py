"""A key-value store under test, and where to find one: each module of `subjects/` has a `KIND`, listed nowhere."""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from runtime.storage.kv import KeyValueStore
from tests.conformance.kv import subjects


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    async def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One kind of store, with the server that it needs.

    open: a new handle; those of one folder share their data, and another folder begins with none. pass_time: lets
    seconds pass for the values of the store that was opened last. now: what time it is for them. backend_type: in a
    run config, None for what is no backend of its own.
    """

    open: Callable[[Path], KeyValueStore]
    pass_time: Callable[[float], Awaitable[None]]
    now: Callable[[], float] = time.time
    backend_type: str | None = None


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How to get a subject. start: called once a run, with a folder for a server's own files; skips
    with the reason where there is no such server.

    abilities: `keeps`, data that outlives a handle; `batches`, several keys that change together, or `single keys`;
    `ends`, it tells when values expire, which a stand-in may not.
    """

    start: Callable[[Path], AbstractContextManager[Subject]]
    abilities: frozenset[str] = frozenset({"keeps", "batches", "ends"})


def found() -> dict[str, Kind]:
    """Every kind by the name of its module."""
    names = sorted(module.name for module in pkgutil.iter_modules(subjects.__path__))
    return {name: importlib.import_module(f"{subjects.__name__}.{name}").KIND for name in names}
