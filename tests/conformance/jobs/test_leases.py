"""Leases: what happens to a job whose process dies, is suspended, stops, or loses its database."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import Any

import pytest

from runtime.access import EVERYBODY
from runtime.errors import Unavailable
from runtime.storage.jobs import Jobs, RunningJob
from runtime.storage.jobs import runner as jobs_runner
from runtime.storage.sql import Stale
from runtime.storage.sql.store import Row
from tests.conformance.jobs.conftest import LIMIT_S, World
from tests.conformance.jobs.test_jobs import Gate

LEASE_S = 30.0


async def answer(running: RunningJob) -> Any:
    return [running.attempt, running.checkpoint]


async def test_a_job_whose_lease_has_run_out_goes_on_elsewhere(world: World) -> None:
    gate = Gate("late")
    first, queue = world.queue(gate)
    job = await queue.add(None, user=EVERYBODY)
    await first.turn()
    await (await gate.begins()).progress("half")
    second, _ = world.queue(answer)
    world.now += LEASE_S - 1
    await second.turn()
    assert (await queue.get(job.id, user=EVERYBODY)).attempts == 1
    world.now += 1
    await second.turn()
    done = await world.ended(queue, job)
    assert (done.state, done.result) == ("completed", [2, "half"])
    gate.may_end.set()  # the first one wakes up, and says something
    end = first.next_end()
    await asyncio.wait_for(end.wait(), LIMIT_S)
    assert await queue.get(job.id, user=EVERYBODY) == done


async def test_a_process_that_is_alone_waits_for_no_lease_of_the_dead(world: World) -> None:
    """And for none of its own; a pause is no lease."""
    gate, tries = Gate("late"), Gate()
    first, queue = world.queue(gate)
    job = await queue.add(None, user=EVERYBODY)
    await first.turn()
    await (await gate.begins()).progress("half")
    alone, later = world.queue(tries, runner=world.runner(is_alone=True))
    await alone.turn()
    taken = await tries.begins()
    assert (taken.id, taken.attempt, taken.checkpoint) == (job.id, 2, "half")
    await alone.turn()
    assert (await later.get(job.id, user=EVERYBODY)).attempts == 2
    gate.may_end.set()
    tries.may_end.set()
    assert (await world.ended(later, job)).state == "completed"


async def test_who_is_alone_takes_over_a_kind_that_comes_later_too(world: World) -> None:
    """As where its provider is made when it is first asked for. Once: what it begins itself is its own."""
    gate, tries = Gate("late"), Gate()
    first, queue = world.queue(gate)
    job = await queue.add(None, user=EVERYBODY)
    await first.turn()
    await gate.begins()
    alone = world.runner(is_alone=True)
    Jobs(alone, "others", lambda: True, nullcontext).handle("another kind", answer)
    await alone.turn()
    _, later = world.queue(tries, runner=alone, concurrency=2)
    await alone.turn()
    assert (await tries.begins()).attempt == 2
    world.queue(tries, runner=alone, concurrency=2)  # its provider was started again
    await alone.turn()
    assert (await later.get(job.id, user=EVERYBODY)).attempts == 2
    gate.may_end.set()
    tries.may_end.set()
    assert (await world.ended(later, job)).state == "completed"


async def test_what_was_cancelled_by_the_dead_ends_at_once_where_one_is_alone(world: World) -> None:
    gate = Gate("late")
    first, queue = world.queue(gate)
    job = await queue.add(None, user=EVERYBODY)
    await first.turn()
    await gate.begins()
    _, theirs = world.queue(answer)
    await theirs.cancel(job.id, user=EVERYBODY)
    alone, _ = world.queue(answer, runner=world.runner(is_alone=True))
    await alone.turn()
    assert (await queue.get(job.id, user=EVERYBODY)).state == "cancelled"
    gate.may_end.set()


async def test_one_that_is_alone_keeps_to_pauses(world: World) -> None:
    tries = 0

    async def fail(running: RunningJob) -> None:
        nonlocal tries
        tries += 1
        raise Unavailable("the database is down")

    first, queue = world.queue(fail, attempts=3)
    job = await queue.add(None, user=EVERYBODY)
    await first.turn()
    async with asyncio.timeout(LIMIT_S):
        while (await queue.get(job.id, user=EVERYBODY)).state != "queued":
            await asyncio.sleep(0)
    alone, _ = world.queue(fail, runner=world.runner(is_alone=True), attempts=3)
    await alone.turn()
    assert tries == 1


async def test_who_has_lost_a_job_is_stopped_at_the_next_turn(world: World) -> None:
    gate = Gate()
    first, queue = world.queue(gate)
    job = await queue.add(None, user=EVERYBODY)
    await first.turn()
    await gate.begins()
    world.now += LEASE_S
    second, _ = world.queue(answer)
    await second.turn()
    await world.ended(queue, job)
    end = first.next_end()
    await first.turn()
    await asyncio.wait_for(end.wait(), LIMIT_S)
    assert gate.at_once == 0


async def test_who_has_lost_a_job_can_keep_no_progress(world: World) -> None:
    gate = Gate()
    first, queue = world.queue(gate)
    job = await queue.add(None, user=EVERYBODY)
    await first.turn()
    running = await gate.begins()
    world.now += LEASE_S
    second, _ = world.queue(answer)
    await second.turn()
    await world.ended(queue, job)
    end = first.next_end()
    with pytest.raises(Stale):
        await running.progress("late")
    await asyncio.wait_for(end.wait(), LIMIT_S)  # and its work was ended
    assert (await queue.get(job.id, user=EVERYBODY)).progress is None


async def test_a_lease_is_renewed_while_the_work_goes_on(world: World) -> None:
    gate = Gate("done")
    first, queue = world.queue(gate)
    second, _ = world.queue(answer)
    job = await queue.add(None, user=EVERYBODY)
    await first.turn()
    await gate.begins()
    for _ in range(10):
        world.now += LEASE_S / 2
        await first.turn()
        await second.turn()
    gate.may_end.set()
    done = await world.ended(queue, job)
    assert (done.result, done.attempts) == ("done", 1)


async def test_a_job_that_kills_its_process_each_time_fails(world: World) -> None:
    job_id = ""
    for _ in range(2):
        gate = Gate()
        dies, queue = world.queue(gate, attempts=2)
        job_id = job_id or (await queue.add(None, user=EVERYBODY)).id
        await dies.turn()
        await gate.begins()
        world.now += LEASE_S
    runner, queue = world.queue(answer, attempts=2)
    await runner.turn()
    failed = await queue.get(job_id, user=EVERYBODY)
    assert failed.state == "failed"
    assert failed.error == {
        "message": "the process that did it ended before the job did, 2 times",
        "code": "abandoned",
    }


async def test_a_job_that_was_cancelled_while_its_process_was_dead_does_not_begin_again(world: World) -> None:
    gate = Gate()
    dies, queue = world.queue(gate)
    job = await queue.add(None, user=EVERYBODY)
    await dies.turn()
    await gate.begins()
    runner, elsewhere = world.queue(answer)
    assert (await elsewhere.cancel(job.id, user=EVERYBODY)).state == "cancelling"
    world.now += LEASE_S
    await runner.turn()
    assert (await world.ended(elsewhere, job)).state == "cancelled"


async def test_a_stop_puts_back_what_runs_and_counts_no_attempt(world: World) -> None:
    gate = Gate()
    first, queue = world.queue(gate)
    job = await queue.add(None, user=EVERYBODY)
    first.start()
    await (await gate.begins()).progress(7)
    await first.stop()
    waiting = await queue.get(job.id, user=EVERYBODY)
    assert (waiting.state, waiting.attempts, waiting.progress) == ("queued", 0, 7)
    second, queue = world.queue(answer)
    second.start()
    assert (await world.ended(queue, job)).result == [1, 7]


async def test_a_stop_interrupts_work_although_the_database_does_not_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go, interrupted, asked = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def clings(job: RunningJob) -> None:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                interrupted.set()

    async def never(*_: object) -> list[Row]:
        asked.set()
        await let_go.wait()
        return []

    runner, queue = world.queue(clings)
    await queue.add(None, user=EVERYBODY)
    await runner.turn()
    monkeypatch.setattr(jobs_runner, "STOP_S", 100 * LIMIT_S)
    monkeypatch.setattr(runner.store, "select", never)
    async with asyncio.timeout(LIMIT_S):
        runner.start()
        await asked.wait()
        stopping = asyncio.create_task(runner.stop())
        await interrupted.wait()
        monkeypatch.undo()
        let_go.set()
        await stopping


async def test_a_stop_keeps_what_is_done_and_what_was_cancelled_elsewhere(world: World) -> None:
    done, gate = Gate("whole"), Gate()
    first, queue = world.queue(done)
    whole = await queue.add(None, user=EVERYBODY)
    second, _ = world.queue(gate)
    await first.turn()
    await done.begins()
    half = await queue.add(None, user=EVERYBODY)
    await second.turn()
    await gate.begins()
    assert (await queue.cancel(half.id, user=EVERYBODY)).state == "cancelling"
    await asyncio.gather(first.stop(), second.stop())
    assert (await queue.get(whole.id, user=EVERYBODY)).result == "whole"
    assert (await queue.get(half.id, user=EVERYBODY)).state == "cancelled"


async def test_work_ends_when_its_lease_cannot_be_renewed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    runner, queue = world.queue(gate)
    await queue.add(None, user=EVERYBODY)
    await runner.turn()
    await gate.begins()

    async def fail(*_: object) -> None:
        raise Unavailable("the disk is full")

    monkeypatch.setattr(runner.store, "write", fail)
    world.now += LEASE_S - 1
    with pytest.raises(Unavailable):
        await runner.turn()
    assert gate.at_once == 1
    world.now += 1
    end = runner.next_end()
    with pytest.raises(Unavailable):
        await runner.turn()
    await asyncio.wait_for(end.wait(), LIMIT_S)
    assert gate.at_once == 0


async def test_an_end_that_cannot_be_kept_is_kept_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = 3
    runner, queue = world.queue(answer)
    job = await queue.add(None, user=EVERYBODY)
    write = runner.store.write

    async def flaky(*statements: Any) -> list[int]:
        nonlocal failures
        if failures and statements[0].values.get("state") == "completed":
            failures -= 1
            raise Unavailable("the disk is full")
        return await write(*statements)

    monkeypatch.setattr(runner.store, "write", flaky)
    await runner.turn()
    assert (await world.ended(queue, job)).result == [1, None]
    assert failures == 0


async def test_the_loop_survives_a_database_that_is_down(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = 3
    runner, queue = world.queue(answer)
    job = await queue.add(None, user=EVERYBODY)
    select = runner.store.select

    async def flaky(query: Any) -> Any:
        nonlocal failures
        if failures and "lease" not in query.columns and query.order == ("due_at",):
            failures -= 1
            raise Unavailable("no connection")
        return await select(query)

    monkeypatch.setattr(runner.store, "select", flaky)
    runner.start()
    assert (await world.ended(queue, job)).state == "completed"
    assert failures == 0
