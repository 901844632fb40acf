"""Jobs of several processes: one that is killed loses nothing, and two never do the same one."""

from __future__ import annotations

import signal
import subprocess
from contextlib import nullcontext
from pathlib import Path

from runtime.access import EVERYBODY
from runtime.storage.jobs import SCHEMA, JobRunner, Jobs
from runtime.storage.jobs.runner import LEASE_S
from runtime.storage.sql.sqlite import SqliteBackend
from runtime.storage.sql.store import SqlStore
from tests.processes.storage.test_kv_sqlite_processes import start

WORKS = """
import asyncio, pathlib, sys, time
from contextlib import nullcontext
from runtime.storage.jobs import SCHEMA, JobRunner, Jobs
from runtime.storage.sql.sqlite import SqliteBackend
from runtime.storage.sql.store import SqlStore

async def count(running):
    done = running.checkpoint or 0
    print("begin", running.attempt, done, flush=True)
    while done < running.payload:
        done += 1
        await running.progress(done)
        print("kept", running.attempt, done, flush=True)
    return done

async def note(running):
    print(running.id, flush=True)

async def main():
    path, ahead_s = pathlib.Path(sys.argv[1]), float(sys.argv[2])
    backend = SqliteBackend(path)
    runner = JobRunner(lambda: SqlStore(lambda: backend, SCHEMA, "jobs"), clock=lambda: time.time() + ahead_s)
    jobs = Jobs(runner, "tests", lambda: True, nullcontext)
    jobs.handle("count", count)
    jobs.handle("note", note, concurrency=4)
    runner.start()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.stop()
    await backend.close()

asyncio.run(main())
"""


def works(path: Path, *, ahead_s: float = 0) -> subprocess.Popen[str]:
    """A process that does jobs until its standard input ends. ahead_s: by how much its clock is ahead."""
    return start(WORKS, path, ahead_s, stdin=subprocess.PIPE)


async def test_a_killed_process_s_job_goes_on_where_it_was_kept_last(tmp_path: Path) -> None:
    path = tmp_path / "sql.db"
    backend = SqliteBackend(path)
    runner = JobRunner(lambda: SqlStore(lambda: backend, SCHEMA, "jobs"))
    queue = Jobs(runner, "tests", lambda: True, nullcontext).handle("count", _nothing)
    job = await queue.add(2000, user=EVERYBODY)
    first = works(path)
    assert first.stdout is not None
    lines = [first.stdout.readline() for _ in range(100)]
    first.send_signal(signal.SIGKILL)
    rest, _ = first.communicate(timeout=30)
    kept = [int(line.split()[2]) for line in (*lines, *rest.splitlines(True)) if line.endswith("\n")][-1]
    assert lines[0] == "begin 1 0\n" and 99 <= kept < 2000
    early = works(path)  # the lease has not run out: it waits
    late = works(path, ahead_s=LEASE_S + 1)
    assert late.stdout is not None
    began = late.stdout.readline().split()
    assert began[:2] == ["begin", "2"]
    assert int(began[2]) >= kept
    done = await queue.finished(job.id, user=EVERYBODY)
    assert (done.state, done.result, done.attempts) == ("completed", 2000, 2)
    for child in (early, late):
        output, errors = child.communicate("", timeout=30)
        assert (child.returncode, errors) == (0, "")
        assert "begin" not in output
    await backend.close()


async def test_each_job_is_done_by_one_of_two_processes(tmp_path: Path) -> None:
    path = tmp_path / "sql.db"
    backend = SqliteBackend(path)
    runner = JobRunner(lambda: SqlStore(lambda: backend, SCHEMA, "jobs"))
    queue = Jobs(runner, "tests", lambda: True, nullcontext).handle("note", _nothing)
    jobs = [await queue.add(None, user=EVERYBODY) for _ in range(100)]
    children = [works(path) for _ in range(2)]
    for job in jobs:
        assert (await queue.finished(job.id, user=EVERYBODY)).state == "completed"
    outputs = [child.communicate("", timeout=30) for child in children]
    assert [(child.returncode, errors) for child, (_, errors) in zip(children, outputs, strict=True)] == [(0, "")] * 2
    assert sorted("".join(output for output, _ in outputs).split()) == sorted(job.id for job in jobs)
    await backend.close()


async def _nothing(_: object) -> None:
    """This process adds jobs and does none."""
