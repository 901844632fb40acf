"""A provider under test, and the ways to get one: found beside this file by the provider's name, listed nowhere.

A module `subjects/<provider>.py` has `SUBJECTS`. Every vendor with OpenAI's protocol is also held to
the suite with a local server that speaks it (`subjects/_openai_compatible.py`): a vendor that is a row needs no file.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from runtime import discovery
from runtime.conformance.asgi import Client
from runtime.providers.inference._openai_compatible.spec import OpenAICompatible
from runtime.spec import Spec

TEXT = frozenset({"chat", "completions", "n", "seed", "stop", "logprobs", "limits", "lists"})
"""What a provider that runs a text model can do. lists: it knows which models there are."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A running stack with one provider.

    chat, embedding, reranker: ids of its models. ended: returns once nothing of an abandoned call is left running at
    the provider. hold, release: make streams wait after their first event, where that can be done. seen: the last
    request that reached the provider's upstream. lacks: abilities that only now are known to be missing, and why.
    """

    client: Client
    chat: str = ""
    embedding: str = ""
    reranker: str = ""
    lacks: Mapping[str, str] = field(default_factory=dict)
    seen: Callable[[], dict[str, Any]] | None = None
    hold: Callable[[], None] | None = None
    release: Callable[[], None] | None = None
    ended: Callable[[], Awaitable[None]] | None = None


Make = Callable[[Path, pytest.FixtureRequest], AbstractAsyncContextManager[Subject]]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A way to run a provider. abilities: what it claims, which decides the tests that it is held to."""

    make: Make
    abilities: frozenset[str]
    marks: tuple[pytest.MarkDecorator, ...] = ()


def kinds_of(spec: Spec) -> Mapping[str, Kind]:
    """Every way to run a provider, by name; empty where nobody has said any."""
    found: dict[str, Kind] = {}
    if isinstance(spec.facts, OpenAICompatible):
        from tests.conformance.inference.subjects import _live, _openai_compatible

        found |= {"wire": _openai_compatible.kind(spec), **_live.kinds(spec)}
    module = f"{__package__}.subjects.{spec.module.rpartition('.')[2]}"
    if find_spec(module) is not None:
        found |= importlib.import_module(module).SUBJECTS
    return found


def providers() -> list[Spec]:
    return [spec for spec in discovery.built_in().specs if spec.api == "inference"]


async def within(waiting: Awaitable[Any]) -> None:
    async with asyncio.timeout(20):
        await waiting
