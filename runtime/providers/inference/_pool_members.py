"""What a pool of models holds: a model's settings and state, the runner behind it while it is loaded, and the leases of
those who use it. Knows no other model.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeVar

from runtime.errors import StackError, Unavailable
from runtime.providers.inference._loading import Loading
from runtime.to_the_end import to_the_end


class NoRoom(Unavailable):
    """There is not enough memory to load a model. missing_bytes: what others would have to free."""

    code = "model_does_not_fit"

    def __init__(self, message: str, *, missing_bytes: int, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.missing_bytes = missing_bytes


class NoTurn(Unavailable):
    """A model is not loaded because of what others do now: they answer, or are pinned. Nothing is wrong with it."""

    code = "no_turn_for_model"


class Runner(Protocol):
    """A model in memory. It is loaded once and unloaded once; the next time there is another runner.

    progress: the share of it that is loaded, from 0 to 1; None where that is not known.
    """

    @property
    def progress(self) -> float | None: ...

    async def load(self, *, may_shrink: bool) -> None:
        """Load it. may_shrink: it may take less memory than it can well use, since nothing else can be unloaded.

        Raises NoRoom before it takes any memory, and StackError where the model cannot be used; then nothing is left.
        """
        ...

    async def unload(self) -> None:
        """Free its memory. Nobody uses it any more."""
        ...

    @property
    def works(self) -> bool:
        """False where it has broken off: it is to be loaded again."""
        ...

    @property
    def size_bytes(self) -> int:
        """What unloading frees, about."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """What to log about it: device, lengths."""
        ...

    def condition(self) -> str:
        """In a few words, with its name, what it does now."""
        ...

    def figures(self) -> dict[str, float]:
        """What it measures, with units in the names; empty where it measures nothing."""
        ...


M = TypeVar("M", bound=Runner)


@dataclass(frozen=True, kw_only=True)
class ModelState:
    """loading_s: how long it has been loading, in seconds; progress: see `Runner`. failure: why it is not loaded."""

    state: Literal["unloaded", "loading", "loaded", "failed"]
    loading_s: float | None = None
    progress: float | None = None
    failure: StackError | None = None


@dataclass(eq=False, kw_only=True)
class Member(Generic[M]):
    """One model of a pool. make: makes a runner for it.

    keep_alive_s: how long it stays loaded after its last use, infinity for ever. is_pinned: it is neither unloaded for
    being idle nor to make room. preloads: it is loaded at the start. load_timeout_s: how long a request waits for it.
    """

    name: str
    make: Callable[[], M]
    keep_alive_s: float = math.inf
    is_pinned: bool = False
    preloads: bool = False
    load_timeout_s: float = 300.0

    runner: M | None = field(default=None, init=False)
    coming: M | None = field(default=None, init=False)
    loading: Loading | None = field(default=None, init=False)
    began: float | None = field(default=None, init=False)
    is_leaving: bool = field(default=False, init=False)
    failure: StackError | None = field(default=None, init=False)
    failures: int = field(default=0, init=False)
    retry_at: float = field(default=0.0, init=False)
    waiting: set[Lease[M]] = field(default_factory=set, init=False)
    patience: asyncio.Timeout | None = field(default=None, init=False)
    using: set[Lease[M]] = field(default_factory=set, init=False)
    idle: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    last_used: float = field(default=0.0, init=False)
    keep_alive_now_s: float = field(default=math.inf, init=False)
    expiry: asyncio.TimerHandle | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.idle.set()

    @property
    def is_usable(self) -> bool:
        return self.runner is not None and self.runner.works and not self.is_leaving

    @property
    def uses(self) -> str:
        """How many requests it is answering, in words."""
        return "1 request" if len(self.using) == 1 else f"{len(self.using)} requests"

    @property
    def size_bytes(self) -> int:
        return self.runner.size_bytes if self.runner is not None else 0

    @property
    def state(self) -> ModelState:
        if self.runner is not None and self.runner.works:
            return ModelState(state="loaded")
        if self.began is not None:
            progress = self.coming.progress if self.coming is not None else None
            return ModelState(state="loading", loading_s=time.monotonic() - self.began, progress=progress)
        if self.failure is not None:
            return ModelState(state="failed", failure=self.failure)
        return ModelState(state="unloaded")

    def begin_use(self, lease: Lease[M]) -> None:
        lease.runner = self.runner
        self.using.add(lease)
        self.idle.clear()

    def take(self, runner: M) -> None:
        """It is loaded: who waited for it uses it from now on."""
        self.runner, self.failure, self.failures = runner, None, 0
        waiting, self.waiting = self.waiting, set()
        for lease in waiting:
            self.begin_use(lease)

    def leave(self, lease: Lease[M]) -> bool:
        """End a use, or a wait. Returns whether it was the last use."""
        self.waiting.discard(lease)
        if not self.waiting and self.patience is not None and not self.patience.expired():
            self.patience.reschedule(0)
        if lease not in self.using:
            return False
        self.using.remove(lease)
        if self.using:
            return False
        self.idle.set()
        return True

    @contextmanager
    def waiting_within(self, patience: asyncio.Timeout) -> Iterator[None]:
        """The block ends by the timeout also where nobody waits for this model any more."""
        self.patience = patience
        try:
            yield
        finally:
            self.patience = None

    async def drop(self) -> bool:
        """Unload what is loaded, to the end even where the caller is cancelled. Returns whether there was anything."""
        self.forget_expiry()
        runner, self.runner = self.runner, None
        if runner is None:
            return False
        await to_the_end(runner.unload())
        return True

    def forget_expiry(self) -> None:
        if self.expiry is not None:
            self.expiry.cancel()
            self.expiry = None

    def failed_for_now(self, wait_s: float) -> StackError:
        """The last failure, for a request that comes so soon after it that loading is not tried again."""
        assert self.failure is not None
        error = self.failure.for_another()
        error.headers = {**error.headers, "retry-after": str(math.ceil(wait_s))}
        return error


class Lease(Generic[M]):
    """The use of a loaded model, until `release`. ended: called after the last one of a member."""

    __slots__ = ("_ended", "_member", "runner")

    def __init__(self, member: Member[M], ended: Callable[[Member[M]], None]) -> None:
        self._member = member
        self._ended = ended
        self.runner: M | None = None

    @property
    def model(self) -> M:
        """What it was when the use began, also where that has broken off since and another one was loaded."""
        assert self.runner is not None, "it is read once the model is loaded"
        return self.runner

    def another(self) -> Lease[M]:
        """A second use, which outlasts this one. To be called before `release`."""
        other = Lease(self._member, self._ended)
        self._member.begin_use(other)
        return other

    def release(self) -> None:
        """A second call does nothing."""
        self.runner = None
        if self._member.leave(self):
            self._ended(self._member)
