"""Which containers have a process, with processes that do nothing: what happens while one ends."""

from __future__ import annotations

import asyncio
from typing import cast

from runtime.providers.containers.bubblewrap.process import Process, Ran
from runtime.providers.containers.bubblewrap.processes import Processes

LIMIT_S = 10


class Fake:
    """A process that ends when it may."""

    has_ended = False

    def __init__(self) -> None:
        self.runs = 0
        self.is_ending, self.may_end = asyncio.Event(), asyncio.Event()

    async def run(self, code: str, timeout_s: float) -> Ran:
        self.runs += 1
        return Ran()

    def kill(self) -> None:
        self.may_end.set()

    async def end(self) -> None:
        self.is_ending.set()
        await self.may_end.wait()


async def used(processes: Processes, container_id: str, made: list[Fake]) -> None:
    async def start() -> Process:
        made.append(Fake())
        return cast("Process", made[-1])

    async with processes.alone(container_id) as slot:
        await processes.run(slot, start, "1", 1)


async def test_a_process_that_is_started_while_an_idle_one_ends_is_known() -> None:
    processes, made = Processes(most=2, wait_s=1, idle_s=-1), list[Fake]()
    async with asyncio.timeout(LIMIT_S):
        await used(processes, "a", made)
        ending = asyncio.create_task(processes.end_idle())
        await made[0].is_ending.wait()
        await used(processes, "a", made)
        made[0].may_end.set()
        await ending
        await used(processes, "a", made)
        assert [one.runs for one in made] == [1, 2], "the second one is used again"
        made[1].may_end.set()
        await processes.stop()
    assert made[1].is_ending.is_set()


async def test_nothing_is_kept_of_a_process_that_made_room_for_another() -> None:
    processes, made = Processes(most=1, wait_s=1, idle_s=60), list[Fake]()
    async with asyncio.timeout(LIMIT_S):
        await used(processes, "a", made)
        made[0].may_end.set()
        await used(processes, "b", made)
    assert [*processes._slots] == ["b"]
