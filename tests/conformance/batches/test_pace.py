"""A vendor that is asked too much, or is down for a while: its lines are asked again, later and fewer at once."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from runtime.conformance.upstream import Upstream, upstream_server
from runtime.providers._background import asking as background
from runtime.providers._background import pacing
from tests.conformance.batches.asking import Asking, Json, asking_at, line, lines
from tests.conformance.batches.held import Held


@pytest_asyncio.fixture
async def vendor() -> AsyncIterator[Upstream]:
    async with upstream_server() as found:
        yield found


@pytest_asyncio.fixture
async def asking(vendor: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Asking]:
    monkeypatch.setattr(pacing, "FIRST_PAUSE_S", 0.01)
    async with asking_at(vendor, tmp_path, config={"max_concurrent_batches": 4}) as found:
        yield found


class Refusing(Held):
    """Refuses more than `most_at_once`, and the first so many, each with these headers."""

    def __init__(self, status: int, *, times: int = 0, headers: dict[str, str] | None = None) -> None:
        super().__init__(free=1_000_000)
        self._status, self._times, self._headers = status, times, headers or {}
        self.refused = 0

    async def answer(self, body: Json) -> web.StreamResponse:
        if self.refused < self._times:
            self.refused += 1
            error = {"message": "not now", "type": "rate_limit_error", "param": None, "code": None}
            return web.json_response({"error": error}, status=self._status, headers=self._headers)
        return await super().answer(body)


async def test_lines_that_are_refused_for_now_are_asked_again(asking: Asking, vendor: Upstream) -> None:
    vendor.misbehaves = refusing = Refusing(429, times=17)
    batch = await asking.completed(*lines(20))
    assert batch["request_counts"] == {"total": 20, "completed": 20, "failed": 0}
    assert len(refusing.asked) == 37, "each refusal was one more request, and nothing else sent it again"
    [pace] = asking.adapter.paces.of_providers.values()
    assert pace.limit < 10


async def test_it_waits_as_long_as_the_vendor_says(asking: Asking, vendor: Upstream) -> None:
    vendor.misbehaves = Refusing(429, times=1, headers={"retry-after-ms": "300"})
    began = time.monotonic()
    await asking.completed(line("a"))
    assert time.monotonic() - began >= 0.3


async def test_waiting_for_an_account_without_credit_is_of_no_use(asking: Asking, vendor: Upstream) -> None:
    vendor.misbehaves = Refusing(429, times=9, headers={"x-should-retry": "false"})
    batch = await asking.completed(line("a"))
    [failed] = await asking.errors(batch)
    assert failed["response"]["status_code"] == 429 and len(vendor.calls("/chat/completions")) == 1


@pytest.mark.parametrize("headers", [{"retry-after": "0"}, {}])
async def test_a_vendor_that_is_down_is_asked_some_times(
    asking: Asking, vendor: Upstream, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    monkeypatch.setattr(background, "MOST_OUTAGES", 3)
    vendor.misbehaves = Refusing(503, times=2, headers=headers)
    assert (await asking.completed(line("a")))["request_counts"]["completed"] == 1
    vendor.misbehaves = failing = Refusing(503, times=9, headers=headers)
    batch = await asking.completed(line("a"))
    assert batch["request_counts"]["failed"] == 1 and len(failing.asked) == 3


async def test_a_vendor_that_has_failed_at_the_work_is_not_asked_to_do_it_again(
    asking: Asking, vendor: Upstream
) -> None:
    vendor.misbehaves = failing = Refusing(500, times=1)
    batch = await asking.completed(line("a"))
    [failed] = await asking.errors(batch)
    assert len(failing.asked) == 1 and failed["response"]["status_code"] == 502


async def test_all_batches_share_the_places_at_a_provider(asking: Asking, vendor: Upstream) -> None:
    vendor.misbehaves = held = Held()
    batches = [await asking.create(*lines(8)) for _ in range(3)]
    await held.until(10)
    held.let()
    for batch in batches:
        assert (await asking.ended(batch))["status"] == "completed"
    assert held.most == 10
