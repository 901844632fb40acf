"""The request that is being served, seen from whatever runs below it."""

from __future__ import annotations

import asyncio

from runtime.access import User, may_see
from runtime.context import RequestContext, current, serving, warn
from runtime.ids import new_id
from runtime.provider import Tasks


def test_outside_of_a_request_there_is_a_stand_in_of_its_own() -> None:
    assert not current().is_serving
    assert current().request_id != current().request_id


def test_inside_it_is_the_one_that_is_served() -> None:
    context = RequestContext(request_id="a")
    with serving(context):
        with serving(RequestContext(request_id="b")):
            assert current().request_id == "b"
        assert current() is context
    assert not current().is_serving


async def test_requests_at_once_see_their_own() -> None:
    async def served(name: str) -> str:
        with serving(RequestContext(request_id=name)):
            await asyncio.sleep(0)
            return await asyncio.create_task(told())

    async def told() -> str:
        return current().request_id

    assert await asyncio.gather(*map(served, "abc")) == ["a", "b", "c"]


def test_what_several_steps_warn_of_is_said_once() -> None:
    with serving(RequestContext()) as context:
        for words in ("a", "b", "a"):
            warn(words)
    assert context.warnings == ["a", "b"]


def test_keys_that_were_brought_are_not_shown() -> None:
    assert "sk-x" not in repr(RequestContext(provider_data={"openai_api_key": "sk-x"}))


def test_ids_have_their_prefix_and_are_not_repeated() -> None:
    ids = {new_id("chatcmpl-") for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(one) == len("chatcmpl-") + 24 for one in ids)


async def test_work_that_goes_on_without_its_request_sees_only_what_is_nobody_s() -> None:
    """It must be told for whom it is done: whoever forgets that shows nobody what is another's."""
    ann, bob = User(principal="ann"), User(principal="bob")
    seen: list[bool] = []

    async def work() -> None:
        seen.extend(may_see(current().user, owner) for owner in (ann, bob, None))

    with serving(RequestContext(user=ann)):
        Tasks("garden").spawn(work(), name="water")
    await asyncio.sleep(0)
    assert seen == [False, False, True]


async def test_what_ending_work_begins_is_ended_too() -> None:
    tasks, ended = Tasks("garden"), list[str]()

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)
            if name == "water":
                tasks.spawn(work("tell"), name="tell")
                await asyncio.sleep(0)

    tasks.spawn(work("water"), name="water")
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await tasks.close()
    assert ended == ["water", "tell"]
