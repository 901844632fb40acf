"""Runs one provider: constructs it, starts it, asks for its list and its health, and stops it.

If its code raises or takes too long, only this provider is affected: the reason is kept here as its trouble, and never
raised.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from runtime import discovery
from runtime.apis.providers.protocol import ProviderHealth
from runtime.clock import wall_time
from runtime.errors import StackError, Unavailable
from runtime.http.client import HttpClient
from runtime.outage import Outage
from runtime.provider import (
    HasHealth,
    LeadsBack,
    Loads,
    ProviderContext,
    Starts,
    Stops,
    Tasks,
    healthy,
    unhealthy,
)
from runtime.stack.failures import TookTooLong, attempt, reason_of, without_secrets
from runtime.stack.planned import PlannedProvider
from runtime.storage.used import UsedStores

log = logging.getLogger(__name__)
HEALTH_LIMIT_S = 3.0
LISTING_LIMIT_S = 30.0
START_LIMIT_S = 120.0
STOP_LIMIT_S = 10.0
"""For ending its background tasks, and again for its own `stop`. The start of the other providers waits for this."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """What the providers of an API may list. method: which one they have for that. what: what it is called in messages.
    serve: called with a provider's list; returns a note about entries that cannot be served.
    """

    method: str
    what: str
    serve: Callable[[Iterable[Any]], str]


class RunningProvider:
    """A planned provider and its current state. storage: as it has it. adapter: None if it could not be constructed or
    was stopped. listed: what it may list, None where its kind of resource is not listed. lost: called
    when its list is not available. changed: called when its trouble has come, gone or become another. stand_in: what is
    there in place of the adapter, if anything. door: the adapter as others see it. cut_off: why it is to count as down,
    if it is.
    """

    def __init__(
        self,
        planned: PlannedProvider,
        *,
        http: HttpClient,
        storage: UsedStores,
        listed: Listed | None,
        lost: Callable[[], None],
        changed: Callable[[], None],
        stand_in: Callable[[ProviderContext], Any | None] = lambda _: None,
        door: Callable[[Any], Any] = lambda adapter: adapter,
        cut_off: Callable[[], StackError | None] = lambda: None,
    ) -> None:
        self.planned = planned
        self.id = planned.provider_id
        self.name = f"{planned.api}/{planned.provider_id}"
        self.tasks = Tasks(self.name)
        self.http = http
        self._storage = storage
        self.adapter: Any = None
        self._context: ProviderContext | None = None
        self.phase: Literal["starting", "ready", "failed"] = "starting"
        self._listed = listed
        self._lost = lost
        self._changed = changed
        self._stand_in = stand_in
        self._door = door
        self._cut_off = cut_off
        self._troubles: dict[str, str] = {}
        self._troubled_since = 0.0
        self._note = ""
        self._asked: dict[str, asyncio.Task[Any]] = {}
        self._stopping: asyncio.Task[None] | None = None

    @property
    def seen(self) -> Any:
        """The adapter as others see it. It has to be there."""
        return self._door(self.adapter)

    @property
    def lists(self) -> bool:
        return self._listed is not None and hasattr(self.adapter, self._listed.method)

    @property
    def can_be_asked(self) -> bool:
        """Whether there is anything to ask it while it runs."""
        return self.lists or isinstance(self.adapter, HasHealth) or self._cut_off() is not None

    @property
    def trouble(self) -> str:
        """Why it is degraded; empty if it is not."""
        return next(iter(self._troubles.values()), "")

    @property
    def outage(self) -> Outage:
        """Its trouble, and since when it has had any without a break."""
        return Outage(reason=self.trouble, since=self._troubled_since)

    @property
    def listing_trouble(self) -> str:
        """Why its list is not available; empty if it is."""
        return self._troubles.get("start") or self._troubles.get("listing", "")

    @property
    def health_trouble(self) -> str:
        """Why its last health check failed; empty if it did not."""
        return self._troubles.get("health", "")

    def construct(self, context: ProviderContext) -> bool:
        """Import and build the adapter. Returns whether that succeeded."""
        self._context = context
        try:
            self.http.connections.check()
            self.adapter = self._stand_in(context)
            if self.adapter is None:
                with _guarded(self.planned.spec.package):
                    adapter = discovery.load(self.planned.spec.adapter, package=self.planned.spec.module)
                    self.adapter = adapter(self.planned.config, context)
        except (Exception, SystemExit) as error:
            self._fail(error)
            return False
        return True

    async def start(self) -> bool:
        """Do the slow work. Returns whether it succeeded; if not, the caller must stop the provider."""
        try:
            if isinstance(self.adapter, Starts):
                # No limit for weights, which may take long.
                limit_s = None if isinstance(self.adapter, Loads) else START_LIMIT_S
                await attempt(self.adapter.start(), limit_s=limit_s)
        except TookTooLong:
            self._fail(Unavailable(f"`{self.id}` did not start within {START_LIMIT_S:.0f} s"))
            return False
        except Exception as error:
            self._fail(error)
            return False
        self.phase = "ready"
        if self._troubles.pop("start", None):
            self._changed()
        log.info("provider started", extra=self._fields(provider_type=self.planned.spec.provider_type))
        return True

    async def start_again(self) -> bool:
        """Try again to start a provider that failed and was stopped. Returns whether it succeeded; if not, it has
        failed with the new reason.
        """
        assert self._context is not None, "it has been constructed before"
        if self.construct(self._context) and await self.start():
            return True
        await self.stop()
        return False

    async def stop(self) -> None:
        """Release everything. Several calls share one release, which is completed even if a caller is cancelled."""
        if self._stopping is None or self._stopping.done():
            self._stopping = asyncio.create_task(self._release(), name=f"{self.name}: stop")
        await asyncio.shield(self._stopping)

    async def _release(self) -> None:
        adapter, self.adapter = self.adapter, None
        await _cancel([task for task in self._asked.values() if not task.done()])
        await self._release_one(self.tasks.close)
        if isinstance(adapter, Stops):
            await self._release_one(adapter.stop)

    async def _release_one(self, release: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await attempt(release(), limit_s=STOP_LIMIT_S)
        except TookTooLong:
            log.warning("provider did not stop in time", extra=self._fields(limit_s=STOP_LIMIT_S))
        except Exception:
            log.exception("provider did not stop cleanly", extra=self._fields())

    async def close(self) -> None:
        """Stop, and close its connections."""
        await self.stop()
        try:
            await self.http.close()
        except Exception:
            log.exception("connections not closed", extra=self._fields())

    async def ask(self) -> None:
        """Ask for its list. If that fails, its last list stays, and the reason becomes its trouble."""
        await self._once("listing", self._ask)

    def ask_soon(self) -> None:
        """Ask for its list in the background, since it says that there is something new in it."""
        if self.lists:
            self.tasks.spawn(self.ask(), name="list again")

    async def health(self) -> ProviderHealth:
        """Its current health; the provider is asked, with a limit of 3 s."""
        health = await self._health()
        return health.model_copy(update={"since": self.outage.began}) if self.trouble else health

    async def _health(self) -> ProviderHealth:
        if self.phase == "failed":
            return unhealthy(self.trouble)
        if self.adapter is None:
            return unhealthy("it has been stopped")
        if self.phase == "starting":
            return unhealthy(await self._progress(), state="starting")
        found: ProviderHealth | None = await self._once("health", self._check)
        return found or unhealthy("it has been stopped")

    async def _ask(self) -> None:
        adapter, listed = self.adapter, self._listed
        if listed is None or adapter is None:
            return
        if not self.lists:
            listed.serve(())
            return
        did_not = f"did not list its {listed.what}"
        try:
            if (outage := self._cut_off()) is not None:
                raise outage
            note = listed.serve(await attempt(getattr(adapter, listed.method)(), limit_s=LISTING_LIMIT_S))
        except LeadsBack as error:
            listed.serve(())
            self._set_trouble("listing", reason_of(error, self.planned, ""))
        except TookTooLong:
            self._lost()
            self._set_trouble("listing", f"`{self.id}` {did_not} in {LISTING_LIMIT_S:.0f} s")
        except Exception as error:
            self._lost()
            self._set_trouble("listing", reason_of(error, self.planned, did_not), error)
        else:
            if note and note != self._note:
                log.warning(note, extra=self._fields())
            self._note = note
            self._clear_trouble("listing")

    async def _check(self) -> ProviderHealth:
        """Check its health, and at the same time ask again for a list that failed, so that the answer is up to date."""
        if "listing" in self._troubles:
            _, health = await asyncio.gather(_within(self.ask(), HEALTH_LIMIT_S), self._checked())
        else:
            health = await self._checked()
        if health.state == "ready" and (unwritten := self._storage.trouble):
            health = unhealthy(f"its last write failed: {without_secrets(unwritten, self.planned)}")
        if health.state == "degraded":
            self._set_trouble("health", health.message or "its own health check says so")
        else:
            self._clear_trouble("health")
        if health.state == "ready" and (trouble := self.trouble):
            return unhealthy(trouble)
        return health.model_copy(update={"message": self._note}) if health.state == "ready" and self._note else health

    async def _progress(self) -> str:
        """How far the start is, where the provider says it."""
        if not (isinstance(self.adapter, Loads) and isinstance(self.adapter, HasHealth)):
            return "still starting"
        found: ProviderHealth | None = await self._once("progress", self._checked)
        return f"still starting: {found.message}" if found and found.message else "still starting"

    async def _checked(self) -> ProviderHealth:
        adapter = self.adapter
        if (outage := self._cut_off()) is not None:
            return unhealthy(outage.message)
        if not isinstance(adapter, HasHealth):
            return healthy()
        try:
            health = await attempt(adapter.check_health(), limit_s=HEALTH_LIMIT_S)
            return health.model_copy(
                update={"message": health.message and without_secrets(health.message, self.planned)}
            )
        except TimeoutError:
            return unhealthy(f"no answer within {HEALTH_LIMIT_S:.0f} s")
        except Exception as error:
            if not isinstance(error, StackError):
                log.exception("health check failed", extra=self._fields())
            return unhealthy(reason_of(error, self.planned, "failed its health check"))

    async def _once(self, question: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Ask a question once at a time: other callers wait for the same answer, and may leave without cancelling it.
        Returns None if the provider was stopped meanwhile.

        It runs without a request's context: the answer is for all callers, and must not depend on one caller's key.
        """
        task = self._asked.get(question)
        if task is None or task.done():
            task = self._asked[question] = asyncio.create_task(
                _awaited(ask), name=f"{self.name}: {question}", context=contextvars.Context()
            )
        await asyncio.wait({task})
        return None if task.cancelled() else task.result()

    def _fail(self, error: BaseException) -> None:
        reason = reason_of(error, self.planned, "did not start")
        if self._troubles != {"start": reason}:  # logged once, although it is tried again every few minutes
            is_expected = isinstance(error, StackError)
            log.error("provider not started", extra=self._fields(error=reason), exc_info=None if is_expected else error)
        self.phase = "failed"
        self._note_time()
        self._troubles = {"start": reason}
        self._changed()

    def _set_trouble(self, what: str, why: str, error: Exception | None = None) -> None:
        if why not in self._troubles.values():
            unexpected = error if error is not None and not isinstance(error, StackError) else None
            log.warning("provider degraded", extra=self._fields(error=why), exc_info=unexpected)
        self._note_time()
        if self._troubles.get(what) != why:
            self._troubles[what] = why
            self._changed()

    def _note_time(self) -> None:
        if not self._troubles:
            self._troubled_since = wall_time()

    def _clear_trouble(self, what: str) -> None:
        if not self._troubles.pop(what, None):
            return
        if not self._troubles:
            log.info("provider recovered", extra=self._fields())
        self._changed()

    def _fields(self, **more: object) -> dict[str, object]:
        return {"api": self.planned.api, "provider_id": self.planned.provider_id, **more}


@contextlib.contextmanager
def _guarded(package: str) -> Iterator[None]:
    """Around the code of an external package, which may neither end the process nor go on without end. Raises
    Unavailable for what goes on. package: empty for one of ours.
    """
    if not package:
        yield
        return
    from runtime.external.importing import Broken, as_broken, importing  # not above: most stacks have no such package

    try:
        with importing(package):
            yield
    except (Broken, SystemExit) as error:
        broken = error if isinstance(error, Broken) else as_broken(error)
        raise Unavailable(f"the external package `{package}` {broken}") from error


async def _awaited(ask: Callable[[], Awaitable[Any]]) -> Any:
    return await ask()


async def _cancel(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


async def _within(work: Awaitable[None], limit_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await work
