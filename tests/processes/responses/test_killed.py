"""A server that is killed in the middle of responses: each has an end that says so, and what was told is there."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from runtime.conformance.upstream import Upstream, upstream_server
from runtime.conformance.upstream.scripted import Said, Script, says
from runtime.storage.jobs.runner import LEASE_S
from tests.support.responses_process import (
    LIMIT_S,
    RESPONSES,
    Json,
    asked,
    followed,
    leases_run_out,
    once,
    running,
    streamed,
)
from tests.support.server_process import ServerProcess

pytestmark = pytest.mark.e2e
INTERRUPTED = ("incomplete", {"reason": "interrupted"})


@pytest_asyncio.fixture
async def vendor() -> AsyncIterator[Upstream]:
    async with upstream_server() as found:
        yield found


def scripted(vendor: Upstream, *answers: Said) -> Script:
    vendor.misbehaves = script = Script(*answers)
    return script


async def killed(server: ServerProcess) -> None:
    server.signal(signal.SIGKILL)
    await server.process.wait()


async def begun(events: AsyncIterator[Json], text: str) -> str:
    """The id of a response, once this piece of it has come."""
    response_id = ""
    async for event in events:
        response_id = response_id or event["response"]["id"]
        if event.get("delta") == text:
            return response_id
    raise AssertionError("the stream has ended")


def ending(response: Json) -> tuple[str, Json]:
    return response["status"], response["incomplete_details"]


def told(script: Script) -> list[str]:
    """What the model read last."""
    return [message["content"] for message in script.asked[-1]["messages"]]


async def test_a_stream_is_incomplete_and_can_be_continued(vendor: Upstream, tmp_path: Path) -> None:
    scripted(vendor, says("First"), says("Once ", "upon", breaks="wait"))
    async with running(vendor, tmp_path) as server:
        first = await asked(server, body={"input": "Begin"})
        async with streamed(server.url, input="Tell", previous_response_id=first["id"]) as events:
            second = await begun(events, "upon")
            await killed(server)
    script = scripted(vendor, says("a time"))
    async with running(vendor, tmp_path) as server:
        assert (await asked(server, f"/{second}"))["status"] == "in_progress", "another server might still make it"
        body = {"model": first["model"], "input": "Go on", "previous_response_id": second}
        status, answer = await server.ask("POST", RESPONSES, json=body)
        assert status == 400 and "`in_progress`" in answer["error"]["message"]
        await killed(server)
    leases_run_out(tmp_path)
    async with running(vendor, tmp_path) as server:
        kept = await asked(server, f"/{first['id']}")
        assert {name: kept[name] for name in first} == first
        assert ending(await asked(server, f"/{second}")) == INTERRUPTED
        assert (await asked(server, body=body))["status"] == "completed"
        assert told(script) == ["Begin", "First", "Tell", "Go on"]


async def test_in_the_background_what_was_begun_is_incomplete_and_what_waited_is_made(
    vendor: Upstream, tmp_path: Path
) -> None:
    """At once: the state folder is the new server's alone, so the lease of the other one counts no more."""
    scripted(vendor, says("Once ", "upon", breaks="wait"))
    async with (
        running(vendor, tmp_path, background_workers=1) as server,
        streamed(server.url, input="Tell", background=True) as events,
    ):
        first = await begun(events, "upon")
        second = await asked(server, body={"input": "Wait", "background": True})
        assert second["status"] == "queued"
        await killed(server)
    script = scripted(vendor, says("Done"))
    async with running(vendor, tmp_path, background_workers=1) as server:
        async with asyncio.timeout(LEASE_S - 5):
            interrupted = await once(server, first, "incomplete")
        made = await once(server, second["id"], "completed")
        assert made["output"][0]["content"][0]["text"] == "Done"
        assert ending(interrupted) == INTERRUPTED
        assert told(script) == ["Wait"] and len(script.asked) == 1, "what was begun is not asked again"
        assert (await asked(server, body={"input": "Go on", "previous_response_id": first}))["status"] == "completed"
        assert told(script) == ["Tell", "Go on"]


async def test_its_events_end_with_what_became_of_it(vendor: Upstream, tmp_path: Path) -> None:
    """Whoever follows it has every event that was told, and its end."""
    scripted(vendor, says("Once ", "upon", breaks="wait"))
    seen: list[Json] = []
    async with running(vendor, tmp_path) as server, streamed(server.url, input="Tell", background=True) as events:
        async for event in events:
            seen.append(event)
            if event.get("delta") == "upon":
                break
        await killed(server)
    response_id = seen[0]["response"]["id"]
    async with running(vendor, tmp_path) as server:
        await once(server, response_id, "incomplete")
        events = await followed(server, response_id)
    assert events[: len(seen)] == seen
    assert [event["type"] for event in events[len(seen) :]] == ["response.incomplete"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


async def test_in_the_background_a_stop_keeps_what_there_is(vendor: Upstream, tmp_path: Path) -> None:
    scripted(vendor, says("Once ", "upon", breaks="wait"))
    async with running(vendor, tmp_path) as server, streamed(server.url, input="Tell", background=True) as events:
        response_id = await begun(events, "upon")
        server.signal(signal.SIGTERM)
        async with asyncio.timeout(LIMIT_S):
            await server.process.wait()
    async with running(vendor, tmp_path) as server:
        kept = await asked(server, f"/{response_id}")
        assert ending(kept) == INTERRUPTED
        assert kept["output"][0]["content"][0]["text"] == "Once upon"
        assert (await followed(server, response_id))[-1]["response"]["output"] == kept["output"]


async def test_cancelling_reaches_the_model(vendor: Upstream, tmp_path: Path) -> None:
    scripted(vendor, says("Once ", "upon", breaks="wait"))
    async with running(vendor, tmp_path) as server, streamed(server.url, input="Tell", background=True) as events:
        response_id = await begun(events, "upon")
        status, cancelled = await server.ask("POST", f"{RESPONSES}/{response_id}/cancel")
        assert (status, cancelled["status"]) == (200, "cancelled")
        await vendor.ended_early.wait()
        assert [event async for event in events] == [], "a stream of it ends"


async def test_what_was_answered_is_there(vendor: Upstream, tmp_path: Path) -> None:
    """Killed while eight callers are answered one response after the other."""
    scripted(vendor, says("Yes"))
    answered: list[Json] = []
    enough = asyncio.Event()

    async def ask(server: ServerProcess, streams: bool) -> None:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            while True:
                if streams:
                    async with streamed(server.url, input="Well?") as events:
                        last = [event async for event in events][-1]
                    if last["type"] == "response.completed":
                        answered.append(last["response"])
                else:
                    answered.append(await asked(server, body={"input": "Well?"}))
                if len(answered) >= 100:
                    enough.set()

    async with running(vendor, tmp_path) as server:
        callers = [asyncio.create_task(ask(server, streams)) for streams in [True, False] * 4]
        async with asyncio.timeout(LIMIT_S):
            await enough.wait()
            await killed(server)
            await asyncio.gather(*callers)
    leases_run_out(tmp_path)
    async with running(vendor, tmp_path) as server:
        for response in answered:
            kept = await asked(server, f"/{response['id']}")
            assert {name: kept[name] for name in response} == response
        listed = (await asked(server, "?limit=100"))["data"]
        assert {one["status"] for one in listed} <= {"completed", "incomplete"}
