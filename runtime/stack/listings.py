"""When providers are asked what they serve and how they are: at the start, every few minutes, soon again after a
failure, and when a name is not known.

Each provider is looked after by a task of its own, so a slow one delays nobody; nothing but the end of the stack ends
these tasks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable

from runtime.stack.providers import RunningProvider

log = logging.getLogger(__name__)
_RETRY_S = 5.0
_LOOK_S = 60.0
_SELDOM_S = 30.0
_FIRST_S = 10.0
_AGAIN_S = 3.0


class Listings:
    """The providers that one kind of resource is asked of, by id."""

    def __init__(self) -> None:
        self.providers: dict[str, RunningProvider] = {}
        self._had_first = asyncio.Event()
        self._asked_at: dict[str, float] = {}

    async def wait_for_first(self) -> None:
        """Returns once every provider has been asked, or after 10 s."""
        if not self._had_first.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._had_first.wait(), _FIRST_S)

    async def ask_all_first(self) -> None:
        """The first question to all."""
        try:
            await self.ask(self.providers.values())
        finally:
            self._had_first.set()

    async def ask(self, providers: Iterable[RunningProvider]) -> None:
        """Ask several at once. Never raises for what they do."""
        await asyncio.gather(*(provider.ask() for provider in list(providers)))

    async def ask_again(self, provider_id: str) -> None:
        """Ask one provider now, unless somebody just did: unknown names must not multiply calls upstream."""
        provider = self.providers.get(provider_id)
        if provider is None or not provider.lists:
            return
        if time.monotonic() - self._asked_at.get(provider_id, -_AGAIN_S) >= _AGAIN_S:
            await provider.ask()  # who comes meanwhile waits for the same answer
            self._asked_at[provider_id] = time.monotonic()

    def trouble(self, provider_id: str) -> str:
        """Why a provider's list could not be had; empty where it could."""
        provider = self.providers.get(provider_id)
        return provider.listing_trouble if provider else ""


async def look_after(provider: RunningProvider, *, interval_s: float) -> None:
    """Ask a provider what it serves every `interval_s` and how it is every minute, and in trouble sooner; until
    cancelled, or until it has turned out not to start: then it is looked after anew once it has.

    One that is far is asked how it is when a call to it has failed, and else with its list: for a vendor that is the
    same call, and some lists are half a megabyte.
    """
    failures, retry_at, failed_calls = 0, 0.0, provider.http.connections.failed_calls
    list_at, look_at = time.monotonic() + interval_s, time.monotonic() + _LOOK_S
    while provider.phase != "failed":
        await asyncio.sleep(min(_RETRY_S, interval_s))
        now = time.monotonic()
        if provider.trouble and now < retry_at:
            continue
        try:
            if provider.lists and (now >= list_at or provider.listing_trouble):
                list_at = now + interval_s
                await provider.ask()
            if now >= look_at or provider.health_trouble or provider.http.connections.failed_calls != failed_calls:
                is_far = provider.planned.spec.kind == "remote" and not provider.http.connections.is_near
                look_at = now + (interval_s if is_far else _LOOK_S)
                await provider.health()
        except Exception:
            # A bug of ours. One more round may go well, and without any nothing would be listed ever again.
            log.exception("provider not looked after", extra={"provider": provider.name})
        failed_calls = provider.http.connections.failed_calls
        failures = failures + 1 if provider.trouble else 0
        retry_at = now + min(_RETRY_S * 2 ** min(failures, 5), _SELDOM_S, interval_s)
