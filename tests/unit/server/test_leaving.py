"""A request hears once that its client's connection has ended, from our protocol or from ASGI's messages."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from runtime.server.incoming import Incoming
from runtime.server.leaving import Connection


def test_a_connection_tells_the_request_that_is_being_answered() -> None:
    connection, told = Connection(), list[str]()
    forget = connection.call_at_end(lambda: told.append("first"))
    forget()
    connection.call_at_end(lambda: told.append("second"))
    forget()  # the first request ends after the second has begun
    connection.end()
    connection.end()
    assert told == ["second"] and connection.has_ended


async def test_a_connection_that_has_ended_tells_it_soon_unless_it_is_taken_back() -> None:
    connection, told = Connection(), asyncio.Event()
    connection.end()
    forget = connection.call_at_end(told.set)
    assert not told.is_set()
    forget()
    await asyncio.sleep(0)
    assert not told.is_set()
    connection.call_at_end(told.set)
    await asyncio.wait_for(told.wait(), 1)


async def test_with_another_server_a_message_tells_it() -> None:
    messages: asyncio.Queue[Any] = asyncio.Queue()
    messages.put_nowait({"type": "http.request", "body": b"{}", "more_body": False})
    incoming, told = Incoming({}, messages.get, limit=10), asyncio.Event()
    assert await incoming.body() == b"{}"
    end_watch = incoming.when_left(told.set)
    messages.put_nowait({"type": "http.disconnect"})
    await asyncio.wait_for(told.wait(), 1)
    end_watch()


async def test_an_answer_that_is_there_at_once_starts_no_task() -> None:
    messages: asyncio.Queue[Any] = asyncio.Queue()
    incoming = Incoming({}, messages.get, limit=10)
    await incoming.skip()
    before = asyncio.all_tasks()
    incoming.when_left(lambda: None)()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_a_task_that_ends_before_it_waits_leaves_nothing_unawaited(recwarn: pytest.WarningsRecorder) -> None:
    messages: asyncio.Queue[Any] = asyncio.Queue()
    incoming = Incoming({}, messages.get, limit=10)
    await incoming.skip()
    end_watch = incoming.when_left(lambda: None)
    await asyncio.sleep(0)  # the task is made, and has not run
    end_watch()
    await asyncio.sleep(0)
    del incoming, end_watch
    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []


async def test_our_own_protocol_needs_no_task_either() -> None:
    async def receive() -> Any:
        raise AssertionError("nothing is received")

    connection, told = Connection(), list[str]()
    incoming = Incoming({}, receive, limit=10, connection=connection)
    await incoming.skip()
    before = asyncio.all_tasks()
    incoming.when_left(lambda: told.append("left"))
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    connection.end()
    assert told == ["left"]
