"""A worker process that is driven out of bounds: what is answered, and that the next document finds a sound one."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator

import psutil
import pytest
import pytest_asyncio

from runtime.errors import RateLimited, RequestError, StackError, Unavailable
from runtime.providers.file_processors._worker.messages import Limits, Task
from runtime.providers.file_processors._worker.pool import WorkerPool
from tests.support.descendants import children, command_line

MIB = 1024 * 1024
LIMIT_S = 60


def task(reader: str, *, timeout_s: float = 30, memory_mib: int = 300) -> Task:
    limits = Limits(
        timeout_s=timeout_s,
        memory_bytes=memory_mib * MIB,
        max_pages=10,
        max_decompressed_bytes=MIB,
        max_text_bytes=MIB,
    )
    return Task(
        reader=f"tests.support.readers:{reader}",
        filename="",
        content_type="",
        pages=None,
        extract_metadata=True,
        clean_text=True,
        settings={},
        sizes=None,
        document={"document_id": "doc-1"},
        limits=limits,
    )


async def said(pool: WorkerPool, what: Task, content: bytes = b"x", *, has_waited: bool = False) -> str:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        async with asyncio.timeout(LIMIT_S):
            answer = json.loads(await pool.run(what, file, has_waited=has_waited))
    found: str = answer["chunks"][0]["content"]
    return found


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    made = WorkerPool(size=1, max_waiting=2)
    yield made
    await made.stop()
    assert not workers(), "a worker outlived its pool"


async def at_work(pool: WorkerPool, process: psutil.Process, reader: str) -> asyncio.Task[str]:
    """A task that its worker has begun: it has the document's descriptor."""
    idle_files = process.num_fds()
    asked = asyncio.create_task(said(pool, task(reader)))
    while process.num_fds() == idle_files:
        await asyncio.sleep(0)
    return asked


def workers() -> list[psutil.Process]:
    """Those that run; what another test has not waited for has no command line any more."""
    return [child for child in children() if "_worker.process" in " ".join(command_line(child))]


async def test_a_worker_is_started_when_needed_and_used_again(pool: WorkerPool) -> None:
    assert not workers()
    first, second = await said(pool, task("echo"), b"one"), await said(pool, task("echo"), b"two")
    assert first.split()[0] == second.split()[0] == str(workers()[0].pid)
    assert (first.split()[1], second.split()[1]) == ("one", "two")


@pytest.mark.parametrize(
    ("reader", "code", "words"),
    [
        ("hang", "document_over_limit", "longer than 1 s"),
        ("spin", "document_over_limit", "longer than 1 s"),
        ("grow", "document_over_limit", "more than 300 MiB of memory"),
        ("recurse", "document_over_limit", "nested too deeply"),
        ("crash", "invalid_document", "crash (SIGSEGV)"),
        ("killed", "document_over_limit", "took too much memory"),
    ],
)
async def test_what_a_document_does_to_its_worker_is_the_document_s_fault(
    pool: WorkerPool, reader: str, code: str, words: str
) -> None:
    await said(pool, task("echo"))
    with pytest.raises(RequestError) as raised:
        await said(pool, task(reader, timeout_s=1 if reader in ("hang", "spin") else 30))
    assert (raised.value.status, raised.value.code) == (400, code) and words in raised.value.message
    assert "still here" in await said(pool, task("echo"), b"still here")


@pytest.mark.parametrize(
    ("reader", "kind"), [("fail", RuntimeError), ("leave", RuntimeError), ("missing", Unavailable)]
)
async def test_what_is_our_fault_is_not_the_document_s(pool: WorkerPool, reader: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as raised:
        await said(pool, task(reader))
    if reader != "leave":
        assert ("ZeroDivisionError" if reader == "fail" else "a_package_that_nobody_has") in str(raised.value)
    assert "still here" in await said(pool, task("echo"), b"still here")


async def test_a_worker_that_has_grown_is_not_used_again(pool: WorkerPool) -> None:
    grown = await said(pool, task("keep"))
    assert grown != (await said(pool, task("echo"))).split()[0]


async def test_a_worker_that_has_died_meanwhile_is_replaced(pool: WorkerPool) -> None:
    """As when the system was short of memory."""
    await said(pool, task("echo"))
    [process] = workers()
    process.kill()
    with contextlib.suppress(psutil.NoSuchProcess):  # the event loop has seen it already
        while process.status() != psutil.STATUS_ZOMBIE:
            os.sched_yield()
    assert "still here" in await said(pool, task("echo"), b"still here")


async def test_what_a_reader_prints_is_no_answer(pool: WorkerPool, capfd: pytest.CaptureFixture[str]) -> None:
    assert await said(pool, task("chatter")) == "done"
    assert capfd.readouterr() == ("", "")


async def test_a_reader_reaches_nothing_outside(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    reached = asyncio.Event()
    listener = await asyncio.start_server(lambda *_: reached.set(), "127.0.0.1", 0)
    async with listener:
        found = await said(pool, task("escape"), str(listener.sockets[0].getsockname()[1]).encode())
    assert found.startswith("refused connect fetch program shell fork;") and found.endswith("keys []")
    assert not reached.is_set()
    if sys.platform == "linux" and os.getuid() == 0:
        assert "1 devices" in found, "a network namespace has its own loopback alone"


async def test_a_caller_that_leaves_takes_the_work_with_it(pool: WorkerPool) -> None:
    await said(pool, task("echo"))
    [process] = workers()
    asked = await at_work(pool, process, "spin")
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert "still here" in await said(pool, task("echo"), b"still here")


async def test_too_many_that_wait_are_told_to_come_later(pool: WorkerPool) -> None:
    asked = [asyncio.create_task(said(pool, task("hang", timeout_s=1))) for _ in range(4)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    kinds = [type(result) for result in results]
    assert kinds.count(RateLimited) == 1 and kinds.count(RequestError) == 3


async def test_what_has_waited_before_is_not_told_to_come_later(pool: WorkerPool) -> None:
    asked = [asyncio.create_task(said(pool, task("hang", timeout_s=1))) for _ in range(3)]
    await asyncio.sleep(0)
    assert "read before" in await said(pool, task("echo"), b"read before", has_waited=True)
    assert all(isinstance(one, RequestError) for one in await asyncio.gather(*asked, return_exceptions=True))


async def test_stopping_ends_the_work_and_says_so(pool: WorkerPool) -> None:
    await said(pool, task("echo"))
    [process] = workers()
    asked = await at_work(pool, process, "hang")
    await pool.stop()
    with pytest.raises(StackError) as raised:
        await asked
    assert raised.value.status == 503 and not workers()


async def test_a_system_without_room_for_a_process_is_unavailable(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(asyncio, "create_subprocess_exec", no_room)
        files = psutil.Process().num_fds()
        with pytest.raises(Unavailable, match="cannot be started: Resource temporarily unavailable") as raised:
            await said(pool, task("echo"))
        assert raised.value.hint and "try again later" in raised.value.hint
        assert psutil.Process().num_fds() == files
    assert "now there is" in await said(pool, task("echo"), b"now there is")


async def no_room(*_: object, **__: object) -> None:
    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
