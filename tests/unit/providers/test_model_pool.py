"""When models of one provider are loaded and unloaded, with runners that only count. No engine, no torch."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import weakref
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from runtime.errors import Conflict, RequestError, StackError, Unavailable
from runtime.providers.inference import _model_pool
from runtime.providers.inference._model_pool import ModelPool
from runtime.providers.inference._pool_members import Member, NoRoom, NoTurn
from runtime.providers.inference._pool_report import health_of, shown


class Memory:
    """What the runners of a test share. gate: loading goes on while it is set. failures: errors of the next loads."""

    def __init__(self, size: int = 100) -> None:
        self.free = size
        self.loads: list[str] = []
        self.unloads: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failures: list[BaseException] = []


class Runner:
    progress: float | None = None
    works = True
    is_loaded = False

    def __init__(self, name: str, memory: Memory, size: int) -> None:
        self.name, self.memory, self.size_bytes = name, memory, size

    async def load(self, *, may_shrink: bool) -> None:
        if self.size_bytes > self.memory.free:
            raise NoRoom(f"{self.name} does not fit", missing_bytes=self.size_bytes - self.memory.free)
        self.memory.loads.append(self.name)
        self.progress = 0.423
        await self.memory.gate.wait()
        if self.memory.failures:
            raise self.memory.failures.pop(0)
        self.memory.free -= self.size_bytes
        assert self.memory.free >= 0
        self.is_loaded = True

    async def unload(self) -> None:
        assert self.is_loaded
        self.is_loaded = False
        await asyncio.sleep(0)
        self.memory.free += self.size_bytes
        self.memory.unloads.append(self.name)

    def facts(self) -> dict[str, Any]:
        return {"size_bytes": self.size_bytes}

    def condition(self) -> str:
        return f"{self.name} works"

    def figures(self) -> dict[str, float]:
        return {"size_bytes": self.size_bytes}


Pool = ModelPool[Runner]


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
async def pools() -> AsyncIterator[list[Pool]]:
    made: list[Pool] = []
    yield made
    for pool in made:
        await pool.close()


@pytest.fixture
def make(memory: Memory, pools: list[Pool]) -> Callable[..., Pool]:
    def made(*members: Member[Runner], **options: Any) -> Pool:
        pools.append(ModelPool(members, **options))
        return pools[-1]

    return made


def member(name: str, memory: Memory, size: int = 30, **settings: Any) -> Member[Runner]:
    return Member(name=name, make=lambda: Runner(name, memory, size), **{"load_timeout_s": 5.0, **settings})


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def use(pool: Pool, name: str, **options: Any) -> None:
    (await pool.acquire(name, **options)).release()


async def test_a_model_is_loaded_by_its_first_request_and_stays(memory: Memory, make: Callable[..., Pool]) -> None:
    pool = make(member("a", memory), member("b", memory))
    assert pool.states()["a"].state == "unloaded"
    for _ in range(2):
        lease = await pool.acquire("a")
        assert lease.model.name == "a"
        lease.release()
        lease.release()  # a second time nothing happens
    assert (memory.loads, memory.unloads) == (["a"], [])
    assert {name: state.state for name, state in pool.states().items()} == {"a": "loaded", "b": "unloaded"}


async def test_all_who_wait_share_one_round_of_loading(memory: Memory, make: Callable[..., Pool]) -> None:
    pool = make(member("a", memory, keep_alive_s=0))
    memory.gate.clear()
    waiting = [asyncio.create_task(pool.acquire("a")) for _ in range(5)]
    await until(lambda: memory.loads)
    assert shown(pool.states()["a"]) == {"loaded": False, "state": "loading", "progress": 0.42}
    assert health_of(pool.members.values()).message == "a is being loaded for 0 s, 42%"
    waiting[0].cancel()  # who leaves takes nothing with them
    memory.gate.set()
    leases = await asyncio.gather(*waiting[1:])
    for lease in leases[1:]:
        lease.release()
    assert (memory.loads, memory.unloads) == (["a"], [])
    leases[0].release()
    await until(lambda: memory.unloads)


async def test_who_loads_says_how_far_it_is(
    memory: Memory, make: Callable[..., Pool], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(_model_pool, "_REPORT_S", 0.0)
    told: list[float | None] = []
    pool = make(member("a", memory), changed=lambda: told.append(pool.states()["a"].progress))
    memory.gate.clear()
    loading = asyncio.create_task(pool.load("a"))
    await until(lambda: len(told) > 2)
    memory.gate.set()
    await loading
    said = [(record.message, getattr(record, "progress", None)) for record in caplog.records]
    assert said[0] == ("loading model", 0.42) and said[-1] == ("model loaded", None)
    await until(lambda: told[-1] is None)
    assert set(told[:-1]) == {0.423}


async def test_waiting_has_a_bound_and_leaves_the_load_alone(memory: Memory, make: Callable[..., Pool]) -> None:
    pool = make(member("a", memory, load_timeout_s=0.01))
    memory.gate.clear()
    with pytest.raises(Unavailable, match="`a` is still loading") as caught:
        await pool.acquire("a")
    assert caught.value.headers["retry-after"] == "5"
    memory.gate.set()
    await until(lambda: pool.states()["a"].state == "loaded")
    await use(pool, "a")
    assert memory.loads == ["a"]


async def test_another_name_is_the_request_s_error(memory: Memory, make: Callable[..., Pool]) -> None:
    pool = make(member("a", memory), member("b", memory))
    with pytest.raises(RequestError, match="This provider serves `a`, `b`, not `c`") as caught:
        await pool.acquire("c")
    assert caught.value.code == "model_not_found"


async def test_what_is_preloaded_is_there_after_the_start(memory: Memory, make: Callable[..., Pool]) -> None:
    pool = make(member("a", memory, preloads=True), member("b", memory), member("c", memory, preloads=True))
    await pool.preload()
    assert sorted(memory.loads) == ["a", "c"]


# A load that fails


async def test_a_failed_load_is_told_to_all_and_tried_again_after_a_while(
    memory: Memory, make: Callable[..., Pool]
) -> None:
    pool = make(member("a", memory), member("b", memory))
    memory.failures = [Unavailable("the file is damaged", hint="get it again")]
    told = await asyncio.gather(*(pool.acquire("a") for _ in range(3)), return_exceptions=True)
    assert [str(error) for error in told] == ["the file is damaged"] * 3
    await until(lambda: pool.member("a").failure)
    with pytest.raises(Unavailable, match="the file is damaged") as soon:
        await pool.acquire("a")
    assert soon.value.headers["retry-after"] == "5" and memory.loads == ["a"]
    assert pool.states()["a"].state == "failed"
    health = health_of(pool.members.values())
    assert (health.state, health.message) == (
        "degraded",
        "`a` could not be loaded: the file is damaged (get it again)",
    )
    assert shown(pool.states()["a"])["failure"].startswith("the file is damaged")
    await use(pool, "b")  # the others go on
    assert health_of(pool.members.values()).metrics == {"b": {"size_bytes": 30}}

    memory.failures = [Unavailable("the file is damaged")]
    pool.member("a").retry_at = 0.0  # as after a while
    with pytest.raises(Unavailable):
        await pool.acquire("a")
    await until(lambda: pool.member("a").failures == 2)
    with pytest.raises(Unavailable) as later:
        await pool.acquire("a")
    assert later.value.headers["retry-after"] == "10"  # twice as long
    pool.member("a").retry_at = 0.0
    await use(pool, "a")
    assert pool.states()["a"].failure is None and health_of(pool.members.values()).state == "ready"
    assert memory.loads == ["a", "b", "a", "a"]


async def test_who_asks_by_name_does_not_wait_for_the_next_try(memory: Memory, make: Callable[..., Pool]) -> None:
    pool = make(member("a", memory))
    memory.failures = [Unavailable("no")]
    with pytest.raises(Unavailable):
        await pool.acquire("a")
    await until(lambda: pool.member("a").failure)
    await pool.load("a")
    assert memory.loads == ["a", "a"]


async def test_a_bug_is_logged_and_told_by_its_kind(
    memory: Memory, make: Callable[..., Pool], caplog: pytest.LogCaptureFixture
) -> None:
    pool = make(member("a", memory))
    memory.failures = [ZeroDivisionError("secret")]
    with pytest.raises(Unavailable, match="`a` could not be loaded: ZeroDivisionError; the server's log says why"):
        await pool.acquire("a")
    await until(lambda: pool.member("a").failure)
    assert [record.exc_info is not None for record in caplog.records if record.levelno == logging.ERROR] == [True]


async def test_a_failed_load_keeps_nothing_of_what_was_loaded(memory: Memory, make: Callable[..., Pool]) -> None:
    held: list[weakref.ref[Memory]] = []

    class Heavy(Runner):
        async def load(self, *, may_shrink: bool) -> None:
            weights = Memory()
            held.append(weakref.ref(weights))
            try:
                raise ValueError("a shape")
            except ValueError as error:
                failures = [error, Unavailable("the file is damaged")]  # a circle, as with a future
                raise failures[1] from error

    pool = make(Member(name="a", make=lambda: Heavy("a", memory, 1)))
    with pytest.raises(Unavailable, match="damaged"):
        await pool.acquire("a")
    await until(lambda: pool.member("a").failure)
    assert held[0]() is None


async def test_a_start_fails_only_where_no_model_is_left(memory: Memory, make: Callable[..., Pool]) -> None:
    memory.failures = [Unavailable("damaged")] * 3
    await make(member("a", memory, preloads=True), member("b", memory)).preload()
    with pytest.raises(Unavailable, match="damaged"):
        await make(member("a", memory, preloads=True), member("b", memory, preloads=True)).preload()


async def test_a_model_that_has_broken_off_is_loaded_again(memory: Memory, make: Callable[..., Pool]) -> None:
    pool = make(member("a", memory))
    broken = await pool.acquire("a")
    broken.model.works = False
    assert pool.states()["a"].state == "unloaded"
    assert health_of(pool.members.values()).message == "a is not loaded"
    asking = asyncio.create_task(pool.acquire("a"))
    await until(lambda: pool.member("a").runner is None)
    assert not broken.model.works  # as long as it is used
    again = await asking
    assert not broken.model.works and again.model.works and (memory.loads, memory.unloads) == (["a", "a"], ["a"])
    broken.release()
    again.release()
    assert pool.states()["a"].state == "loaded"


# Idle models


async def test_an_idle_model_is_unloaded_after_its_time(memory: Memory, make: Callable[..., Pool]) -> None:
    pool = make(member("a", memory, keep_alive_s=0.01), member("b", memory, keep_alive_s=0.0))
    await use(pool, "a")
    assert pool.states()["a"].state == "loaded"
    await until(lambda: memory.unloads)
    await use(pool, "b")
    await until(lambda: memory.unloads == ["a", "b"])
    await use(pool, "a")
    assert memory.loads == ["a", "b", "a"]


async def test_a_model_in_use_is_not_idle(memory: Memory, make: Callable[..., Pool]) -> None:
    pool = make(member("a", memory, keep_alive_s=0.0))
    first = await pool.acquire("a")
    longer = first.another()
    first.release()
    async with pool._turn:  # the timer has fired, and its task has the turn after us
        second = await pool.acquire("a")
        longer.release()
    second.release()
    assert memory.unloads == []
    await until(lambda: memory.unloads == ["a"])


@pytest.mark.parametrize(("own_s", "asked_s", "stays"), [(0.0, math.inf, True), (math.inf, 0.0, False)])
async def test_a_request_says_how_long_its_model_stays(
    memory: Memory, make: Callable[..., Pool], own_s: float, asked_s: float, stays: bool
) -> None:
    pool = make(member("a", memory, keep_alive_s=own_s))
    await use(pool, "a", keep_alive_s=asked_s)
    assert (pool.member("a").expiry is None) is stays
    if not stays:
        await until(lambda: memory.unloads)


async def test_a_pinned_model_stays(memory: Memory, make: Callable[..., Pool]) -> None:
    pool = make(member("a", memory, is_pinned=True, keep_alive_s=0.0), member("b", memory, size=90))
    await use(pool, "a")
    assert pool.member("a").expiry is None
    with pytest.raises(NoRoom):
        await pool.acquire("b")
    assert memory.unloads == []


# Room for another


async def test_the_least_recently_used_idle_model_makes_room(memory: Memory, make: Callable[..., Pool]) -> None:
    pool = make(*(member(name, memory) for name in "abcd"))
    for name in "abca":
        await use(pool, name)
    busy = await pool.acquire("b")
    await use(pool, "d")  # c was not used for the longest time among those that are idle
    assert (memory.unloads, memory.free) == (["c"], 10)
    busy.release()


async def test_no_more_are_loaded_than_allowed(memory: Memory, make: Callable[..., Pool]) -> None:
    pool = make(*(member(name, memory, size=1) for name in "abc"), max_loaded=2)
    for name in "abc":
        await use(pool, name)
    assert memory.unloads == ["a"]


async def test_nothing_is_unloaded_for_a_model_that_fits_in_no_case(memory: Memory, make: Callable[..., Pool]) -> None:
    pool = make(member("a", memory), member("huge", memory, size=1000))
    await use(pool, "a")
    with pytest.raises(NoRoom):
        await pool.acquire("huge")
    assert memory.unloads == []


async def test_a_refusal_without_others_is_told_as_it_is(memory: Memory, make: Callable[..., Pool]) -> None:
    """What is missing is less than the least that can be freed: only the shortest context does not fit."""
    memory.failures = [NoRoom("a does not fit", missing_bytes=0)]
    with pytest.raises(NoRoom, match="a does not fit"):
        await make(member("a", memory)).acquire("a")


async def test_a_busy_model_makes_room_when_its_answers_have_ended_and_comes_back(
    memory: Memory, make: Callable[..., Pool]
) -> None:
    pool = make(member("a", memory, size=90), member("b", memory, size=90))
    busy = await pool.acquire("a")
    waiting = asyncio.create_task(pool.acquire("b"))
    await until(lambda: pool.member("a").is_leaving)
    late = asyncio.create_task(pool.acquire("a"))  # does not keep it from leaving
    await until(lambda: pool.member("a").waiting)
    assert not waiting.done() and memory.unloads == []
    busy.release()
    lease = await waiting
    assert memory.unloads == ["a"] and not late.done()
    lease.release()
    (await late).release()
    assert (memory.loads, memory.unloads) == (["a", "b", "a"], ["a", "b"])


async def test_nothing_makes_room_for_a_model_that_nobody_waits_for_any_more(
    memory: Memory, make: Callable[..., Pool], caplog: pytest.LogCaptureFixture
) -> None:
    pool = make(member("a", memory, size=90), member("b", memory, size=90))
    busy = await pool.acquire("a")
    waiting = [asyncio.create_task(pool.acquire("b")) for _ in range(2)]
    await until(lambda: pool.member("a").is_leaving)
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    assert pool.member("a").is_leaving  # somebody waits
    waiting[1].cancel()
    await use(pool, "a")  # it is not kept from answering
    assert memory.loads == ["a"] and pool.states()["b"].state == "unloaded"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    busy.release()
    await use(pool, "b")
    assert memory.unloads == ["a"]


async def test_a_model_that_is_busy_for_too_long_stays(memory: Memory, make: Callable[..., Pool]) -> None:
    pool = make(member("a", memory, size=90), member("b", memory, size=90, load_timeout_s=0.01))
    busy = await pool.acquire("a")
    asking = asyncio.create_task(pool.acquire("b"))
    await until(lambda: pool.member("a").is_leaving)
    late = asyncio.create_task(pool.acquire("a"))
    with pytest.raises(StackError, match=r"`b` is (still loading|not loaded: .* answering 1 request)"):
        await asking
    (await late).release()  # it was not unloaded after all
    assert memory.loads == ["a"] and pool.states()["b"].state == "unloaded"  # nothing is wrong with it
    busy.release()
    await use(pool, "b")


async def test_where_all_are_pinned_there_is_no_room(memory: Memory, make: Callable[..., Pool]) -> None:
    pool = make(member("a", memory, is_pinned=True), member("b", memory), max_loaded=1)
    await use(pool, "a")
    with pytest.raises(NoTurn, match="`max_loaded_models` is 1"):
        await pool.acquire("b")


# By name, and the end


async def test_a_model_is_unloaded_by_name_and_loaded_by_the_next_request(
    memory: Memory, make: Callable[..., Pool]
) -> None:
    told: list[str] = []
    pool = make(member("a", memory, is_pinned=True), changed=lambda: told.append(pool.states()["a"].state))
    await pool.unload("a")
    await pool.load("a")
    await until(lambda: told[-1:] == ["loaded"])
    await pool.unload("a")
    assert (memory.unloads, told[-1]) == (["a"], "unloaded")
    await use(pool, "a")
    assert memory.loads == ["a", "a"]


async def test_a_model_that_answers_is_not_unloaded_under_it(
    memory: Memory, make: Callable[..., Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_model_pool, "_UNLOAD_LIMIT_S", 0.01)
    pool = make(member("a", memory))
    busy = await pool.acquire("a")
    with pytest.raises(Conflict, match="still answering 1 request"):
        await pool.unload("a")
    assert busy.model.name == "a" and memory.unloads == []
    busy.release()


async def test_the_end_unloads_everything_and_answers_who_waits(memory: Memory, make: Callable[..., Pool]) -> None:
    pool = make(member("a", memory), member("b", memory))
    await use(pool, "a")
    memory.gate.clear()
    waiting = [asyncio.create_task(pool.acquire("b")) for _ in range(2)]
    await asyncio.sleep(0)  # lets them ask; the load itself has not begun
    await pool.close()
    for task in waiting:
        with pytest.raises(Unavailable, match="is being stopped"):
            await task
    assert memory.unloads == ["a"]
    with pytest.raises(Unavailable, match="is being stopped"):
        await pool.acquire("a")


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_callers_do_a_model_in_use_is_loaded_and_nothing_stays_in_use(
    memory: Memory, make: Callable[..., Pool], seed: int
) -> None:
    chance = random.Random(seed)
    keep_alive_s = {"a": 0.0, "b": math.inf, "c": 0.001, "d": math.inf}
    pool = make(
        *(member(name, memory, size=40, keep_alive_s=s, is_pinned=name == "d") for name, s in keep_alive_s.items()),
        max_loaded=chance.choice([None, 2]),
    )

    async def ask() -> None:
        name = chance.choice("abcd")
        match chance.randrange(12):
            case 0:
                await pool.unload(name)
            case 1:
                await pool.load(name)
            case 2:
                memory.failures.append(Unavailable("damaged"))
            case 3 if name in pool.members and pool.member(name).runner:
                pool.member(name).runner.works = False  # type: ignore[union-attr]  # just looked
            case _:
                lease = await pool.acquire(name, keep_alive_s=chance.choice([None, 0.0, math.inf]))
                try:
                    model = lease.model
                    for _ in range(chance.randrange(6)):
                        assert model.is_loaded or not model.works
                        await asyncio.sleep(0)
                finally:
                    lease.release()

    tasks = []
    for _ in range(150):
        tasks.append(asyncio.create_task(ask()))
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        chance.choice(tasks[-5:]).cancel()
        if chance.random() < 0.1:
            for one in pool.members.values():
                one.retry_at = 0.0
    async with asyncio.timeout(20):
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    unexpected = [end for end in ends if isinstance(end, Exception) and not isinstance(end, StackError)]
    assert not unexpected and None in ends
    assert not any(one.using or one.waiting for one in pool.members.values())
    await until(lambda: not pool._tasks)
    assert memory.free == 100 - sum(one.size_bytes for one in pool.members.values())
