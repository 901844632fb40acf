"""What only Milvus has: a collection is made in steps, and Lite is a program of its own, which can end."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import signal
from pathlib import Path

import pytest

from runtime.conformance.vector_io.asking import Asked, drawn
from runtime.conformance.vector_io.subject import adapter
from runtime.errors import Unavailable
from tests.conformance.vector_io.subject import built_in


async def test_a_creation_that_was_broken_off_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = Asked(adapter(built_in("inline::milvus"), {}, tmp_path))
    await vectors.create(8, "vs_other")
    from pymilvus import MilvusClient

    def fail(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(MilvusClient, "create_index", fail)
        with pytest.raises(Unavailable, match="the disk is full"):
            await vectors.create(8)
    await vectors.create(8)
    await vectors.put([1], drawn(1, 8))
    assert (await vectors.search(drawn(1, 8)[0])).numbers == [1]
    await vectors.stop()


async def test_a_program_that_takes_its_time_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the client found no socket, and gave up."""
    package = importlib.util.find_spec("milvus_lite")
    assert package is not None and package.origin is not None
    lib, slow = Path(package.origin).parent / "lib", tmp_path / "slow"
    slow.mkdir()
    (slow / "milvus").write_text(f"#!/bin/sh\nsleep 1.5\nLD_LIBRARY_PATH='{lib}' exec '{lib}/milvus' \"$@\"\n")
    (slow / "milvus").chmod(0o755)
    monkeypatch.setenv("BIN_PATH", str(slow))
    vectors = Asked(adapter(built_in("inline::milvus"), {}, tmp_path))
    await vectors.create(8)
    await vectors.stop()


async def test_a_program_that_was_killed_is_started_again_and_has_what_was_kept(tmp_path: Path) -> None:
    vectors = Asked(adapter(built_in("inline::milvus"), {}, tmp_path))
    await vectors.create(8)
    await vectors.put([1, 2], drawn(2, 8))
    for number in (3, 4):
        program = vectors.adapter._engine._program._p
        program.kill()
        await asyncio.to_thread(program.wait, 20)
        await vectors.put([number], drawn(1, 8, seed=number))
        found = await asyncio.gather(*(vectors.search(drawn(2, 8)[1]) for _ in range(4)))
        assert {*found[0].numbers} == {*range(1, number + 1)} and found.count(found[0]) == 4
        assert (await vectors.adapter.check_health()).status == "OK"
    await vectors.stop()


async def test_requests_that_a_killed_program_leaves_are_unavailable_and_the_next_ones_are_answered(
    tmp_path: Path,
) -> None:
    vectors = Asked(adapter(built_in("inline::milvus"), {}, tmp_path))
    await vectors.create(8)
    await vectors.put([1], drawn(1, 8))
    program = vectors.adapter._engine._program._p
    program.send_signal(signal.SIGSTOP)  # so that the request is at work when it ends
    asked = asyncio.create_task(vectors.search(drawn(1, 8)[0]))
    await asyncio.sleep(0)
    program.kill()
    with contextlib.suppress(Unavailable):  # it may have been asked of the next program
        assert (await asked).numbers == [1]
    await asyncio.to_thread(program.wait, 20)  # while it is ending, requests are still its own
    assert (await vectors.search(drawn(1, 8)[0])).numbers == [1]
    await vectors.stop()
