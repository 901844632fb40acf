"""Jobs: what is added is done, once at a time, and whoever asks is told how it went."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import Any

import pytest

from runtime.access import EVERYBODY, User
from runtime.apis._paging import PageRequest
from runtime.errors import Conflict, NotFound, RequestError, Unavailable
from runtime.storage.jobs import JobQueue, Jobs, Postponed, RunningJob
from runtime.storage.jobs.runner import LEASE_S
from runtime.storage.sql.dialects import SQLITE
from tests.conformance.jobs.conftest import LIMIT_S, World

ANN, BOB = User(principal="ann", attributes={"teams": ("a",)}), User(principal="bob")


async def double(running: RunningJob) -> Any:
    return {"doubled": running.payload["number"] * 2}


class Gate:
    """A handler that begins, says so, and waits. returns: what it gives when it may go on, or is cancelled."""

    def __init__(self, returns: Any = None) -> None:
        self.begun: asyncio.Queue[RunningJob] = asyncio.Queue()
        self.may_end = asyncio.Event()
        self.at_once = self.most_at_once = 0
        self.returns = returns

    async def __call__(self, running: RunningJob) -> Any:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.begun.put_nowait(running)
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            if self.returns is None:
                raise
        finally:
            self.at_once -= 1
        return self.returns

    async def begins(self) -> RunningJob:
        async with asyncio.timeout(LIMIT_S):
            return await self.begun.get()


async def test_what_is_added_is_done(world: World) -> None:
    runner, queue = world.queue(double)
    runner.start()
    added = await queue.add({"number": 21}, user=EVERYBODY)
    assert (added.state, added.payload, added.attempts) == ("queued", {"number": 21}, 0)
    assert added.id.startswith("job_")
    done = await world.ended(queue, added)
    assert (done.state, done.result, done.attempts, done.error) == ("completed", {"doubled": 42}, 1, None)
    assert done.created_at == done.started_at == done.ended_at == world.now


async def test_a_job_of_another_process_is_found_without_being_told(world: World) -> None:
    adding = world.queue(double)[1]
    runner, queue = world.queue(double)
    runner.start()
    assert (await world.ended(queue, await adding.add({"number": 1}, user=EVERYBODY))).state == "completed"


async def test_each_job_is_done_by_one_process(world: World) -> None:
    done: list[int] = []

    async def note(running: RunningJob) -> None:
        done.append(running.payload)

    queues = [world.queue(note, concurrency=4) for _ in range(3)]
    jobs = [await queues[0][1].add(number, user=EVERYBODY) for number in range(40)]
    for runner, _ in queues:
        runner.start()
    for job in jobs:
        assert (await world.ended(queues[0][1], job)).state == "completed"
    assert sorted(done) == list(range(40))


async def test_no_more_run_at_once_than_the_kind_allows(world: World) -> None:
    gate = Gate("done")
    runner, queue = world.queue(gate, concurrency=3)
    jobs = [await queue.add(number, user=EVERYBODY) for number in range(8)]
    await runner.turn()
    for _ in range(3):
        await gate.begins()
    await runner.turn()
    assert gate.begun.empty()
    gate.may_end.set()
    runner.start()
    assert [(await world.ended(queue, job)).state for job in jobs] == ["completed"] * 8
    assert gate.most_at_once == 3


async def test_the_oldest_begins_first(world: World) -> None:
    gate = Gate()
    runner, queue = world.queue(gate)
    first = await queue.add(1, user=EVERYBODY)
    world.now += 1
    await queue.add(2, user=EVERYBODY)
    await runner.turn()
    assert (await gate.begins()).id == first.id


async def test_progress_is_seen_by_users_and_by_the_next_attempt(world: World) -> None:
    seen: list[Any] = []

    async def count(running: RunningJob) -> int:
        seen.append((running.attempt, running.checkpoint))
        done = (running.checkpoint or {"done": 0})["done"]
        await running.progress({"done": done + 1})
        if done < 2:
            raise OSError("the disk is gone")
        return done + 1

    runner, queue = world.queue(count, attempts=3)
    job = await queue.add(None, user=EVERYBODY)
    for pause_s in (1, 2):
        end = runner.next_end()
        await runner.turn()
        await asyncio.wait_for(end.wait(), LIMIT_S)
        waiting = await queue.get(job.id, user=EVERYBODY)
        assert waiting.state == "queued"
        assert waiting.error == {"message": "it failed with `OSError`", "code": "server_error"}
        world.now += pause_s - 0.1
        await runner.turn()
        assert len(seen) == waiting.attempts  # not yet
        world.now += 0.1
    await runner.turn()
    done = await world.ended(queue, job)
    assert (done.state, done.result, done.progress, done.error) == ("completed", 3, {"done": 3}, None)
    assert seen == [(1, None), (2, {"done": 1}), (3, {"done": 2})]


async def test_what_postpones_itself_is_called_again_as_often_as_it_wants(world: World) -> None:
    seen: list[Any] = []

    async def wait(running: RunningJob) -> str:
        seen.append((running.attempt, running.checkpoint))
        if len(seen) < 5:
            raise Postponed(100.0, {"times": len(seen)}) from Unavailable("the database is down", code="down")
        return "done"

    runner, queue = world.queue(wait, attempts=2)
    job = await queue.add(None, user=EVERYBODY)
    for times in range(1, 5):
        end = runner.next_end()
        await runner.turn()
        await asyncio.wait_for(end.wait(), LIMIT_S)
        waiting = await queue.get(job.id, user=EVERYBODY)
        assert (waiting.state, waiting.attempts, waiting.progress) == ("queued", 0, {"times": times})
        assert waiting.error == {"message": "the database is down", "code": "down"}
        world.now += 99.9
        await runner.turn()
        assert len(seen) == times  # not yet
        world.now += 0.1
    await runner.turn()
    done = await world.ended(queue, job)
    assert (done.state, done.result, done.attempts, done.error) == ("completed", "done", 1, None)
    assert seen == [(1, None), *((1, {"times": times}) for times in range(1, 5))]


async def test_what_fails_each_time_fails_for_good(world: World) -> None:
    async def fail(running: RunningJob) -> None:
        if running.payload == "bad":
            raise RequestError("there is no such file", code="no_file")
        raise SystemExit(1)

    runner, queue = world.queue(fail, attempts=2)
    bad, odd = await queue.add("bad", user=EVERYBODY), await queue.add("odd", user=EVERYBODY)
    runner.start()
    failed = await world.ended(queue, bad)
    assert (failed.state, failed.attempts) == ("failed", 1)
    assert failed.error == {"message": "there is no such file", "code": "no_file"}
    waits = await queue.get(odd.id, user=EVERYBODY)
    while waits.state != "queued" or not waits.attempts:
        await asyncio.wait_for(runner.next_end().wait(), LIMIT_S)
        waits = await queue.get(odd.id, user=EVERYBODY)
    world.now += 1
    failed = await world.ended(queue, odd)
    assert (failed.state, failed.attempts) == ("failed", 2)
    assert failed.error == {"message": "it failed with `RuntimeError`", "code": "server_error"}


async def test_a_result_that_is_no_json_is_a_failure(world: World) -> None:
    async def odd(running: RunningJob) -> object:
        return object()

    runner, queue = world.queue(odd, attempts=1)
    runner.start()
    failed = await world.ended(queue, await queue.add(None, user=EVERYBODY))
    assert (failed.state, failed.error) == ("failed", {"message": "it failed with `TypeError`", "code": "server_error"})


async def test_work_that_cancels_itself_has_failed(world: World) -> None:
    async def leave(running: RunningJob) -> None:
        raise asyncio.CancelledError

    runner, queue = world.queue(leave, attempts=1)
    runner.start()
    assert (await world.ended(queue, await queue.add(None, user=EVERYBODY))).state == "failed"


async def test_a_job_that_waits_is_cancelled_at_once(world: World) -> None:
    runner, queue = world.queue(double)
    job = await queue.add({"number": 1}, user=EVERYBODY)
    assert (await queue.cancel(job.id, user=EVERYBODY)).state == "cancelled"
    runner.start()
    after = await world.ended(queue, await queue.add({"number": 2}, user=EVERYBODY))
    assert after.state == "completed"
    assert (await queue.get(job.id, user=EVERYBODY)).attempts == 0


@pytest.mark.parametrize("returns", [None, {"partly": 1}])
async def test_work_that_runs_is_told_to_end(world: World, returns: Any) -> None:
    gate = Gate(returns)
    runner, queue = world.queue(gate)
    job = await queue.add(None, user=EVERYBODY)
    await runner.turn()
    await gate.begins()
    assert (await queue.cancel(job.id, user=EVERYBODY)).state in ("cancelling", "cancelled")
    ended = await world.ended(queue, job)
    assert (ended.state, ended.result, ended.ended_at) == ("cancelled", returns, world.now)
    assert (await queue.cancel(job.id, user=EVERYBODY)).state == "cancelled"


async def test_work_of_another_process_is_told_at_its_next_turn(world: World) -> None:
    gate = Gate()
    runner, queue = world.queue(gate)
    _, elsewhere = world.queue(double)
    job = await queue.add(None, user=EVERYBODY)
    await runner.turn()
    await gate.begins()
    assert (await elsewhere.cancel(job.id, user=EVERYBODY)).state == "cancelling"
    await runner.turn()
    assert (await world.ended(elsewhere, job)).state == "cancelled"


async def test_a_job_that_has_ended_cannot_be_cancelled_but_forgotten(world: World) -> None:
    runner, queue = world.queue(double)
    job = await queue.add({"number": 1}, user=EVERYBODY)
    with pytest.raises(Conflict, match="is `queued`"):
        await queue.delete(job.id, user=EVERYBODY)
    runner.start()
    await world.ended(queue, job)
    assert (await queue.cancel(job.id, user=EVERYBODY)).state == "completed"
    await queue.delete(job.id, user=EVERYBODY)
    with pytest.raises(NotFound, match=job.id):
        await queue.get(job.id, user=EVERYBODY)


@pytest.mark.parametrize("is_elsewhere", [False, True])
async def test_a_job_that_is_discarded_ends_wherever_it_is_done_and_leaves_nothing(
    world: World, is_elsewhere: bool
) -> None:
    gate = Gate()
    runner, here = world.queue(gate)
    _, elsewhere = world.queue(double)
    job = await here.add(None, user=ANN)
    await runner.turn()
    await gate.begins()
    queue = elsewhere if is_elsewhere else here
    await queue.discard(job.id, user=BOB)
    for _ in range(3):
        assert (await queue.get(job.id, user=ANN)).state == "running", "it is not Bob's"
    assert gate.at_once == 1
    end = runner.next_end()
    await queue.discard(job.id, user=ANN)
    if is_elsewhere:
        await runner.turn()
    await asyncio.wait_for(end.wait(), LIMIT_S)
    assert gate.at_once == 0
    for each in (here, elsewhere):
        with pytest.raises(NotFound):
            await each.get(job.id, user=ANN)
    await queue.discard(job.id, user=ANN)


async def refuse(running: RunningJob) -> Any:
    raise RequestError("no")


async def fail(running: RunningJob) -> Any:
    raise OSError("the disk is gone")


@pytest.mark.parametrize("handler", [double, refuse])
async def test_of_a_kind_that_does_not_stay_nothing_is_left_once_it_has_ended(world: World, handler: Any) -> None:
    runner, queue = world.queue(handler, stays=False)
    runner.start()
    job = await queue.add({"number": 1}, user=EVERYBODY)
    with pytest.raises(NotFound):
        await world.ended(queue, job)
    assert (await queue.page(PageRequest(), user=EVERYBODY))[0] == []


async def test_one_that_is_tried_again_stays_until_then(world: World) -> None:
    runner, queue = world.queue(fail, stays=False, attempts=2)
    job = await queue.add(None, user=EVERYBODY)
    end = runner.next_end()
    await runner.turn()
    async with asyncio.timeout(LIMIT_S):
        await end.wait()
    assert (await queue.get(job.id, user=EVERYBODY)).state == "queued"
    world.now += 1
    await runner.turn()
    with pytest.raises(NotFound):
        await world.ended(queue, job)


async def test_neither_one_that_is_cancelled_nor_one_that_is_given_up_stays(world: World) -> None:
    gate = Gate()
    runner, queue = world.queue(gate, stays=False, attempts=1, concurrency=2)
    cancelled, abandoned = [await queue.add(number, user=EVERYBODY) for number in range(2)]
    await runner.turn()
    for _ in range(2):
        await gate.begins()
    await queue.cancel(cancelled.id, user=EVERYBODY)
    with pytest.raises(NotFound):
        await world.ended(queue, cancelled)
    world.now += LEASE_S
    await world.queue(gate, stays=False, attempts=1)[0].turn()
    with pytest.raises(NotFound):
        await queue.get(abandoned.id, user=EVERYBODY)


async def test_adding_can_be_repeated(world: World) -> None:
    _, queue = world.queue(double, prefix="batch_")
    first = await queue.add({"number": 1}, user=ANN)
    assert first.id.startswith("batch_")
    again = await queue.add({"number": 2}, user=ANN, job_id=first.id)
    assert again == first
    with pytest.raises(NotFound):
        await queue.add({"number": 2}, user=BOB, job_id=first.id)


async def test_users_see_their_own_jobs(world: World) -> None:
    users: list[User | None] = []

    async def note(running: RunningJob) -> None:
        users.append(running.owner)

    runner, queue = world.queue(note)
    of_ann = [await queue.add(number, user=ANN) for number in range(3)]
    of_bob = await queue.add(3, user=BOB)
    runner.start()
    for job in (*of_ann, of_bob):
        await world.ended(queue, job)
    assert users == [ANN, ANN, ANN, BOB]
    with pytest.raises(NotFound):
        await queue.get(of_bob.id, user=ANN)
    with pytest.raises(NotFound):
        await queue.cancel(of_bob.id, user=ANN)
    page, has_more = await queue.page(PageRequest(limit=2), user=ANN)
    assert ([job.id for job in page], has_more) == ([of_ann[2].id, of_ann[1].id], True)
    page, has_more = await queue.page(PageRequest(limit=2, after=page[-1].id), user=ANN, states=("completed",))
    assert ([job.id for job in page], has_more) == ([of_ann[0].id], False)
    assert await queue.page(PageRequest(), user=ANN, states=("failed",)) == ([], False)


async def test_a_kind_has_its_own_list(world: World) -> None:
    runner, queue = world.queue(double)
    other = Jobs(runner, "tests", lambda: True, nullcontext).handle("other", double)
    job = await other.add({"number": 1}, user=EVERYBODY)
    assert await queue.page(PageRequest(), user=EVERYBODY) == ([], False)
    with pytest.raises(NotFound):
        await queue.get(job.id, user=EVERYBODY)


async def test_jobs_of_a_provider_that_is_not_ready_wait(world: World) -> None:
    is_ready = False
    runner = world.runner()
    queue: JobQueue = Jobs(runner, "slow", lambda: is_ready, nullcontext).handle("work", double)
    job = await queue.add({"number": 1}, user=EVERYBODY)
    await runner.turn()
    assert (await queue.get(job.id, user=EVERYBODY)).state == "queued"
    is_ready = True
    await runner.turn()
    assert (await world.ended(queue, job)).state == "completed"


async def test_two_providers_cannot_handle_one_kind(world: World) -> None:
    runner, _ = world.queue(double)
    Jobs(runner, "tests", lambda: True, nullcontext).handle("work", double)  # it was constructed again
    with pytest.raises(RuntimeError, match="`work` are done by `tests`"):
        Jobs(runner, "others", lambda: True, nullcontext).handle("work", double)


@pytest.mark.parametrize("columns", ["kind = 'k' AND due_at <= 5 ORDER BY due_at", "kind = 'k' ORDER BY position, id"])
async def test_finding_jobs_costs_the_same_however_many_there_are(world: World, columns: str) -> None:
    runner, queue = world.queue(double)
    await queue.add({"number": 1}, user=EVERYBODY)
    backend = await runner.store.open()
    if backend.dialect is SQLITE:
        plan = await backend.read(f"EXPLAIN QUERY PLAN SELECT * FROM jobs WHERE {columns} LIMIT 5", ())
        assert all("USING INDEX jobs__kind" in row[-1] for row in plan), plan
    else:  # it reads a small table whole, whatever indexes there are
        rows = await backend.read("SELECT indexdef FROM pg_indexes WHERE tablename = 'jobs'", ())
        assert sum("(kind, " in definition for (definition,) in rows) == 2


async def test_a_kind_whose_jobs_cannot_be_begun_does_not_hold_up_the_others(world: World) -> None:
    def broken() -> bool:
        raise RuntimeError("a fault of ours")

    runner = world.runner()
    Jobs(runner, "tests", broken, nullcontext).handle("broken", double)
    runner, queue = world.queue(double, runner=runner)
    runner.start()
    ended = await world.ended(queue, await queue.add({"number": 2}, user=ANN))
    assert ended.result == {"doubled": 4}
