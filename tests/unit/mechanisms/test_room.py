"""Room in memory that several share."""

from __future__ import annotations

import asyncio

import pytest

from runtime.providers.vector_stores.builtin.room import Room, Taken

LIMIT_S = 10


class User:
    """One that has come for some of it. is_in: whether it was let in."""

    def __init__(self, room: Room, size_bytes: int) -> None:
        self._room = room
        self._size_bytes = size_bytes
        self._goes = asyncio.Event()
        self.taken: Taken | None = None
        self.task = asyncio.create_task(self._come())

    async def _come(self) -> None:
        async with self._room.taken(self._size_bytes) as self.taken:
            await self._goes.wait()

    @property
    def is_in(self) -> bool:
        return self.taken is not None

    async def go(self) -> None:
        self._goes.set()
        await asyncio.wait_for(self.task, LIMIT_S)
        await turn()


async def turn() -> None:
    """Let those who can go on."""
    for _ in range(5):
        await asyncio.sleep(0)


async def come(room: Room, *sizes: int) -> list[User]:
    users = [User(room, size) for size in sizes]
    await turn()
    return users


async def test_small_ones_are_in_together_and_others_come_in_turn() -> None:
    users = await come(Room(10), 4, 4, 4, 1)
    assert [user.is_in for user in users] == [True, True, False, False], "nobody passes who came later"
    await users[0].go()
    assert [user.is_in for user in users] == [True] * 4
    for user in users[1:]:
        await user.go()


async def test_what_is_larger_than_all_of_it_is_in_alone() -> None:
    users = await come(Room(10), 1, 99, 1, 99)
    assert [user.is_in for user in users] == [True, False, False, False]
    await users[0].go()
    assert [user.is_in for user in users] == [True, True, False, False]
    await users[1].go()
    assert [user.is_in for user in users] == [True, True, True, False]
    await users[2].go()
    await users[3].go()


async def test_what_turns_out_smaller_lets_others_in_and_what_is_larger_does_not_wait() -> None:
    users = await come(Room(10), 10, 5, 4)
    first = users[0].taken
    assert first is not None
    first.resize(1)
    await turn()
    assert [user.is_in for user in users] == [True, True, True]
    first.resize(50)
    users += await come(first._room, 1)
    await users[1].go()
    await users[2].go()
    assert not users[3].is_in
    await users[0].go()
    assert users[3].is_in
    await users[3].go()
    assert first._room._taken_bytes == first._room._users == 0


@pytest.mark.parametrize("has_place", [False, True])
async def test_who_is_cancelled_while_it_waits_leaves_its_place_to_others(has_place: bool) -> None:
    room = Room(10)
    users = await come(room, 10, 10, 1)
    if has_place:  # it is let in at the moment at which it is cancelled
        room.give_back(10)
        room.give_back(-10)
    users[1].task.cancel()
    await users[0].go()
    assert not users[1].is_in and users[2].is_in
    await users[2].go()
    assert room._taken_bytes == room._users == 0
