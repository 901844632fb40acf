"""A provider's client and a vendor at wire level."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio

from runtime.http import retries
from runtime.http.auth import NoAuth
from runtime.http.client import HttpClient
from runtime.http.timeouts import Timeouts


@pytest_asyncio.fixture
async def client() -> AsyncIterator[HttpClient]:
    opened = HttpClient("acme").with_auth(NoAuth(), timeouts=Timeouts(connect_s=2, read_s=5))
    yield opened
    await opened.close()


class Waits(logging.Handler):
    """Calls `begun` when a wait begins."""

    def __init__(self, begun: Callable[[], object]) -> None:
        super().__init__()
        self._begun = begun

    def emit(self, record: logging.LogRecord) -> None:
        self._begun()


@pytest.fixture
def on_wait(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[Callable[[], object]], None]]:
    """Calls a function whenever a request is about to wait before it is sent again."""
    added: list[logging.Handler] = []
    caplog.set_level(logging.INFO, logger=retries.log.name)

    def on_wait(begun: Callable[[], object]) -> None:
        added.append(Waits(begun))
        retries.log.addHandler(added[-1])

    yield on_wait
    for handler in added:
        retries.log.removeHandler(handler)
