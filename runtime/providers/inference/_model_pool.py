"""The models of one provider in memory: loaded when they are asked for, unloaded when they were idle for long enough or
to make room for another one.

    unloaded --acquire, load--> loading --> loaded --idle, room, unload--> unloaded
                                   +--> failed --acquire, after a while--> loading

One model is loaded or unloaded at a time, so that each finds the memory as it is. Knows names, times and who uses what;
not what a model is, and no requests. For one event loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Generic, TypeVar

from runtime.errors import Conflict, RequestError, StackError, Unavailable
from runtime.providers.inference._loading import Loading, forget_frames
from runtime.providers.inference._pool_members import Lease, Member, ModelState, NoRoom, NoTurn, Runner
from runtime.providers.inference._turns import one_at_a_time
from runtime.telemetry import conventions as names
from runtime.telemetry.spans import begin, during

M = TypeVar("M", bound=Runner)
log = logging.getLogger(__name__)
_RETRY_S, _MAX_RETRY_S = 5.0, 300.0
_REPORT_S, _UNLOAD_LIMIT_S = 2.0, 30.0
_MAX_NAMED = 5


class ModelPool(Generic[M]):
    """members: in the order in which they are served. max_loaded: how many may be loaded at once; None for as many as
    there is memory for. changed: called when the state of one has changed.
    """

    def __init__(
        self,
        members: Sequence[Member[M]],
        *,
        max_loaded: int | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.members: Mapping[str, Member[M]] = {member.name: member for member in members}
        self._max_loaded = max_loaded
        self._changed = changed
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def preload(self) -> None:
        """Load the members that are loaded at the start. Raises the first failure where no member can be served."""
        wanted = [member for member in self.members.values() if member.preloads]
        await asyncio.gather(*(self.load(member.name) for member in wanted), return_exceptions=True)
        failures = [member.failure for member in self.members.values() if member.failure is not None]
        if len(failures) == len(self.members):
            raise failures[0].for_another()

    async def load(self, name: str, *, keep_alive_s: float | None = None) -> None:
        """Load a model, also where that has just failed, and return when it is loaded. Raises as `acquire`."""
        member = self.member(name)
        member.retry_at = 0.0
        (await self.acquire(name, keep_alive_s=keep_alive_s)).release()

    async def acquire(
        self,
        name: str,
        within: AbstractContextManager[None] | None = None,
        *,
        keep_alive_s: float | None = None,
    ) -> Lease[M]:
        """A loaded model that stays loaded until the lease is released. It is loaded first where it is not; all who
        wait for it share one round of loading.

        within: entered while waiting, to limit how many requests wait. keep_alive_s: how long it stays after this use;
        None for the member's own.
        Raises RequestError for a name that is not a member's, Unavailable where loading takes too long, and the error
        of loading where that fails or has just failed.
        """
        member = self.member(name)
        if self._is_closed:
            raise self._stopping(name)
        if member.runner is None and member.failure is not None and (wait_s := member.retry_at - time.monotonic()) > 0:
            raise member.failed_for_now(wait_s)
        member.keep_alive_now_s = member.keep_alive_s if keep_alive_s is None else keep_alive_s
        lease = Lease(member, self._released)
        if member.is_usable:
            member.begin_use(lease)
            return lease
        member.waiting.add(lease)
        if member.loading is None:
            member.loading = Loading(name, limit_s=member.load_timeout_s)
            self._spawn(self._load(member, member.loading), f"load {name}")
        try:
            with during(begin("load", {names.ENGINE_MODEL: name})) as span:
                await member.loading.wait(within)
                if span is not None and member.runner is not None:
                    span.attributes[names.SIZE_BYTES] = member.runner.size_bytes
        except BaseException:
            lease.release()
            raise
        return lease

    async def unload(self, name: str) -> None:
        """Unload a model once its answers have ended; requests that come meanwhile load it again afterwards. Does
        nothing where it is not loaded. Raises RequestError as `acquire`, Conflict where its answers take over 30 s.
        """
        member = self.member(name)
        async with self._turn:
            if not await self._drain(member, "asked", limit_s=_UNLOAD_LIMIT_S):
                raise Conflict(
                    f"Model `{name}` is still answering {member.uses}.",
                    hint="unload it when they have ended",
                    code="model_in_use",
                )

    def member(self, name: str) -> Member[M]:
        """A member by its name. Raises RequestError."""
        if name not in self.members:
            served = ", ".join(f"`{one}`" for one in list(self.members)[:_MAX_NAMED])
            raise RequestError(f"This provider serves {served}, not `{name}`", param="model", code="model_not_found")
        return self.members[name]

    def states(self) -> dict[str, ModelState]:
        """How each member is, by name."""
        return {name: member.state for name, member in self.members.items()}

    async def close(self) -> None:
        """Unload everything. Who waits for a model gets Unavailable."""
        self._is_closed = True
        for member in self.members.values():
            if member.loading is not None:
                member.loading.give_up(self._stopping(member.name))
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for member in self.members.values():
            await member.drop()

    # What follows runs in tasks of the pool's own: a request that leaves ends none of it.

    async def _load(self, member: Member[M], loading: Loading) -> None:
        try:
            await loading.run(self._load_in_turn(member))
        except Exception as error:
            self._failed(member, error)
        finally:
            member.loading = None
            self._tell()

    async def _load_in_turn(self, member: Member[M]) -> None:
        async with self._turn:
            if not member.waiting:
                return  # everybody has left
            if member.is_usable and member.runner is not None:
                member.take(member.runner)  # it was to be unloaded, but its answers took too long
                return
            await self._unload(member, "it broke off")  # where there is anything
            member.began = time.monotonic()
            reporting = self._spawn(self._report(member), f"report on {member.name}")
            try:
                runner = await self._loaded(member)
                took_s = time.monotonic() - member.began
            finally:
                reporting.cancel()
                member.began = member.coming = None
            member.take(runner)
        log.info("model loaded", extra={"model": member.name, "took_s": round(took_s, 2), **runner.facts()})
        if not member.using:
            self._released(member)

    async def _loaded(self, member: Member[M]) -> M:
        """A runner that has loaded, beside as many of the others as there is room for."""
        while True:
            others = self._unloadable(member)
            if self._max_loaded is not None and self._count() >= self._max_loaded:
                await self._make_room(member, others)
                continue
            runner = member.coming = member.make()
            try:
                async with one_at_a_time():
                    await runner.load(may_shrink=not others)
            except NoRoom as error:
                if not others or error.missing_bytes > sum(one.size_bytes for one in others):
                    raise
                await self._make_room(member, others)
            else:
                return runner

    async def _report(self, member: Member[M]) -> None:
        """Say that a model is being loaded, and how far, until cancelled."""
        while True:
            state = member.state
            progress = {} if state.progress is None else {"progress": round(state.progress, 2)}
            log.info("loading model", extra={"model": member.name, **progress})
            self._tell()
            await asyncio.sleep(_REPORT_S)

    def _count(self) -> int:
        return sum(member.runner is not None for member in self.members.values())

    def _unloadable(self, member: Member[M]) -> list[Member[M]]:
        """The loaded models that may be unloaded for this one: idle ones first, then by their last use."""
        found = [one for one in self.members.values() if one is not member and one.runner and not one.is_pinned]
        return sorted(found, key=lambda one: (bool(one.using), one.last_used))

    async def _make_room(self, member: Member[M], others: Sequence[Member[M]]) -> None:
        """Unload the first of the others. Raises NoTurn where its answers take longer than requests wait, and where
        nobody waits any more.
        """
        if not others:
            raise NoTurn(
                f"Model `{member.name}` is not loaded: `max_loaded_models` is {self._max_loaded}, and as many are"
                " loaded and pinned",
                hint="raise `max_loaded_models`, or unload one of them",
            )
        if not await self._drain(others[0], f"room for {member.name}", limit_s=member.load_timeout_s, wanted_by=member):
            raise NoTurn(
                f"Model `{member.name}` is not loaded: there is room for it only without `{others[0].name}`, which is"
                f" still answering {others[0].uses}",
                hint="try again later",
                headers={"retry-after": "5"},
            )

    async def _drain(self, member: Member[M], why: str, *, limit_s: float, wanted_by: Member[M] | None = None) -> bool:
        """Unload a member once nobody uses it; who asks for it from now on waits. To be called in turn. Returns whether
        it is unloaded: not where its uses take longer than `limit_s`, or all leave who wait for the member `wanted_by`.
        """
        member.is_leaving = True
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(limit_s) as patience:
                    with wanted_by.waiting_within(patience) if wanted_by else nullcontext():
                        await member.idle.wait()
            if member.using or (wanted_by is not None and not wanted_by.waiting):
                return False
            await self._unload(member, why)
            return True
        finally:
            member.is_leaving = False

    async def _unload(self, member: Member[M], why: str) -> None:
        if await member.drop():
            log.info("model unloaded", extra={"model": member.name, "reason": why})
            self._tell()

    def _failed(self, member: Member[M], error: Exception) -> None:
        """Remember a failure, so that not every request tries again: later ones wait longer. One that had no turn may
        try at once.
        """
        unexpected = None if isinstance(error, StackError) else error
        words = error.words if isinstance(error, StackError) else repr(error)
        level = logging.WARNING if isinstance(error, NoTurn) else logging.ERROR
        log.log(level, "model not loaded", extra={"model": member.name, "error": words}, exc_info=unexpected)
        forget_frames(error)
        if isinstance(error, NoTurn):
            return
        assert member.loading is not None and member.loading.failure is not None
        member.failure = member.loading.failure
        member.failures += 1
        member.retry_at = time.monotonic() + min(_RETRY_S * 2 ** (member.failures - 1), _MAX_RETRY_S)

    def _released(self, member: Member[M]) -> None:
        """Nobody uses a member any more."""
        member.last_used = time.monotonic()
        member.forget_expiry()
        keep_alive_s = member.keep_alive_now_s
        if member.runner is None or member.is_pinned or keep_alive_s == math.inf or self._is_closed:
            return
        member.expiry = asyncio.get_running_loop().call_later(
            keep_alive_s, lambda: self._spawn(self._expire(member), f"unload {member.name}")
        )

    async def _expire(self, member: Member[M]) -> None:
        async with self._turn:
            now = asyncio.get_running_loop().time()
            if not member.using and member.expiry is not None and member.expiry.when() <= now:  # nobody came meanwhile
                await self._unload(member, "idle")

    @staticmethod
    def _stopping(name: str) -> Unavailable:
        return Unavailable(f"Model `{name}` is not loaded: its provider is being stopped")

    def _tell(self) -> None:
        if not self._is_closed:
            self._changed()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.error("task of a model failed", extra={"task": task.get_name()}, exc_info=failure)
