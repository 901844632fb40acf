"""The limits of connections on the event loop that servers run on: the unit layer tries them on asyncio's own."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from tests.unit.server import test_http1 as unit

pytestmark = pytest.mark.e2e
Claim = Callable[..., Coroutine[Any, Any, None]]
OF_MANY = (
    unit.test_one_connection_too_many_is_a_503,
    unit.test_far_too_many_connections_end_without_a_word,
    unit.test_an_answer_that_nobody_reads_keeps_no_connection_open,
)
OF_A_BODY = (unit.test_a_body_that_does_not_go_on_is_a_408, unit.test_a_body_must_come_at_some_pace)


@pytest.mark.parametrize("claim", OF_MANY, ids=lambda claim: claim.__name__)
def test_connections_have_an_end(claim: Claim, monkeypatch: pytest.MonkeyPatch) -> None:
    uvloop.run(claim(unit.Echo(), monkeypatch))


@pytest.mark.parametrize("begun", unit.PART_OF.values(), ids=unit.PART_OF)
@pytest.mark.parametrize("claim", OF_A_BODY, ids=lambda claim: claim.__name__)
def test_bodies_have_a_pace(claim: Claim, begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    uvloop.run(claim(unit.Echo(), begun, monkeypatch))


@pytest.mark.parametrize(("begun", "more"), unit.FRAMING.values(), ids=unit.FRAMING)
def test_framing_has_a_size(begun: bytes, more: bytes) -> None:
    async def check() -> None:
        async with unit.listening(echo := unit.Echo()) as server:
            await unit.test_what_frames_a_body_has_a_size((server, echo), begun, more)

    uvloop.run(check())
