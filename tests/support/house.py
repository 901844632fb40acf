"""An API and providers that exist only in tests, found by discovery like any other.

For what no provider of ours does on purpose: failing in its constructor or at its start, never answering, needing each
other. The API has a route of each kind that handlers bind. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import Annotated, Any, Literal, Protocol

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr

from runtime.apis._api import Api, route
from runtime.apis._request import Query, Request, Response
from runtime.apis.providers.protocol import ProviderHealth
from runtime.context import current
from runtime.errors import Unavailable
from runtime.provider import ProviderContext, healthy
from runtime.spec import Spec, inline
from tests.support.mounting import add


class Thing(Response):
    thing_id: str
    given: dict[str, Any]


class LookRequest(Request):
    thing_id: str
    count: int = 1
    deep: bool = False
    tags: list[str] | None = None


class ChangeRequest(Request):
    thing_id: str
    name: str
    size: int = 0
    limit: Annotated[int | None, Query()] = None


class TellRequest(Request):
    """Everything may be left out, the body too."""

    events: int = 3
    fails_after: int | None = None


class Told(Response):
    type: Literal["thing.told"] = "thing.told"
    number: int


class Probe(Protocol):
    @route("GET", "/v1/things/{thing_id}", aliases=("/v1/old-things/{thing_id}",))
    async def look(self, request: LookRequest) -> Thing:
        """Fields from path and query."""
        ...

    @route("POST", "/v1/things/{thing_id}", status=201)
    async def change(self, request: ChangeRequest) -> Thing:
        """Fields from path, query and body."""
        ...

    @route("POST", "/v1/tell", ends_with_done=True)
    def tell(self, request: TellRequest) -> AsyncGenerator[Told, None]:
        """A stream of typed events."""
        ...


class Plain(Protocol):
    """An API without routes, for plans."""


class ProbeConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")

    level: int = 0
    api_key: SecretStr | None = None
    address: str | None = None


async def _at_once() -> None:
    pass


class Prober:
    """Implements `Probe`. Tests change what it does between calls.

    before_answer: awaited before a whole answer or the first event. before_event: awaited before each further event.
    before_release: awaited first in a call's `finally`. ended: set when that, which goes on to await, is through.
    """

    def __init__(self, config: ProbeConfig, context: ProviderContext) -> None:
        self.config = config
        self.context = context
        self.stopped = False
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what a test has told it."""
        self.before_answer: Callable[[], Awaitable[None]] = _at_once
        self.before_event: Callable[[], Awaitable[None]] = _at_once
        self.before_release: Callable[[], Awaitable[None]] = _at_once
        self.ended = asyncio.Event()

    async def look(self, request: LookRequest) -> Thing:
        return await self._answer(request)

    async def change(self, request: ChangeRequest) -> Thing:
        return await self._answer(request)

    async def _answer(self, request: Any) -> Thing:
        try:
            await self.before_answer()
            return Thing(
                thing_id=request.thing_id,
                given={**request.model_dump(), "provider_data": dict(current().provider_data)},
            )
        finally:
            await self._release()

    async def tell(self, request: TellRequest) -> AsyncGenerator[Told, None]:
        try:
            await self.before_answer()
            for number in range(request.events):
                if number == request.fails_after:
                    raise Unavailable("the teller has lost its voice")
                if number:
                    await self.before_event()
                yield Told(number=number)
        finally:
            await self._release()

    async def _release(self) -> None:
        await self.before_release()
        await asyncio.to_thread(lambda: None)  # a real await, as a database's commit is
        self.ended.set()

    async def check_health(self) -> ProviderHealth:
        await self.before_answer()
        return healthy("probed")

    async def stop(self) -> None:
        self.stopped = True


class BrokenConstructor(Prober):
    def __init__(self, config: ProbeConfig, context: ProviderContext) -> None:
        raise RuntimeError("no room at the inn")


class BrokenStart(Prober):
    instances: list[BrokenStart] = []  # noqa: RUF012  # tests look at what the stack has already let go of

    def __init__(self, config: ProbeConfig, context: ProviderContext) -> None:
        super().__init__(config, context)
        self.instances.append(self)

    async def start(self) -> None:
        raise Unavailable("the weights are corrupt", hint="fetch them again")


class LateStart(Prober):
    steps: list[str] = []  # noqa: RUF012  # tests look at what the stack has already let go of

    def __init__(self, config: ProbeConfig, context: ProviderContext) -> None:
        super().__init__(config, context)
        self.steps.append("made")

    async def start(self) -> None:
        self.steps.append("started")

    async def stop(self) -> None:
        self.steps.append("stopped")


def probe_spec(name: str = "prober", adapter: str = "Prober", **facts: Any) -> Spec:
    config = facts.pop("config", "tests.support.house:ProbeConfig")
    spec = inline(
        name, summary="A provider for tests", adapter=f"tests.support.house:{adapter}", config=config, **facts
    )
    return spec.found_in("probe", "tests.support.house")


def plain_spec(api: str, **facts: Any) -> Spec:
    """A provider of an API without routes."""
    return inline("only", summary="A provider for tests", adapter="tests.support.house:Prober", **facts).found_in(
        api, __name__
    )


PROBE = Api("probe", Probe)


def furnish(
    monkeypatch: pytest.MonkeyPatch, specs: Iterable[Spec], *, plain: Iterable[str] = (), more: Iterable[Api] = ()
) -> None:
    """Let discovery find `probe`, the APIs named in `plain`, `more` APIs, and these specs, beside what is built in."""
    add(monkeypatch, [PROBE, *(Api(name, Plain) for name in plain), *more], specs)
