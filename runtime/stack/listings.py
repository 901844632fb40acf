"""When providers are asked for their lists and their health: at the start, every few minutes, soon after a failure, and
when a name is not known.

Each provider has its own task for this, so that a slow one delays no other. Only the end of the stack ends these tasks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable
from dataclasses import replace

from runtime.errors import Unavailable
from runtime.outage import Outage
from runtime.provider import ChecksRegistrations, KeepsRegistrations
from runtime.routing.entry import Entry
from runtime.stack.providers import RunningProvider

log = logging.getLogger(__name__)
_RETRY_S = 5.0
_HEALTH_INTERVAL_S = 60.0
_MAX_RETRY_S = 30.0
_FIRST_LIMIT_S = 10.0
_MIN_INTERVAL_S = 3.0


class ProviderListings:
    """The providers that own one kind of resource, by id. are_asked: whether they were asked for their first lists.
    keep: whether they keep something of what is registered with them.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self._keep = keep
        self.providers: dict[str, RunningProvider] = {}
        self.are_asked = False
        self._had_first = asyncio.Event()
        self._asked_at: dict[str, float] = {}

    async def wait_for_first(self) -> None:
        """Returns once every provider has been asked, or after 10 s."""
        if not self._had_first.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FIRST_LIMIT_S):
                    await self._had_first.wait()

    async def ask_all_first(self) -> None:
        """Ask all providers for the first time."""
        self.are_asked = True
        try:
            await self.ask(self.providers.values())
        finally:
            self._had_first.set()

    async def ask(self, providers: Iterable[RunningProvider]) -> None:
        """Ask several at once. Never raises if they fail."""
        await asyncio.gather(*(provider.ask() for provider in list(providers)))

    async def ask_again(self, provider_id: str) -> None:
        """Ask one provider now, unless it was just asked: many unknown names must not cause many calls upstream."""
        provider = self.providers.get(provider_id)
        if provider is None or not provider.lists:
            return
        if time.monotonic() - self._asked_at.get(provider_id, -_MIN_INTERVAL_S) >= _MIN_INTERVAL_S:
            await provider.ask()  # other callers wait for the same answer meanwhile
            self._asked_at[provider_id] = time.monotonic()

    async def check_registration(self, entry: Entry) -> None:
        """Ask the provider of a resource whether it can be registered. Raises RequestError."""
        provider = self.providers.get(entry.provider_id)
        if provider is not None and isinstance(provider.adapter, ChecksRegistrations):
            await provider.adapter.check_registration(entry)

    def check_owner(self, entry: Entry) -> None:
        """Raises Unavailable while the provider of a resource is down that may keep something of it."""
        provider = self.providers.get(entry.provider_id)
        if self._keep and provider is not None and provider.adapter is None:
            reason = provider.trouble or f"provider `{entry.provider_id}` has been stopped"
            raise Unavailable(f"`{entry.id}` cannot be changed while its provider is down: {reason}")

    async def take_registration(self, entry: Entry, before: Entry | None) -> Entry:
        """Let the provider of a resource take what it keeps of it. Returns the entry as it is to be kept. Raises
        StackError.
        """
        keeper = self._keeper(entry)
        if keeper is None:
            return entry
        return replace(entry, facts={**entry.facts, **await keeper.take_registration(entry, before)})

    async def release_registration(self, entry: Entry) -> None:
        """Let the provider of a resource that was forgotten give up what it keeps of it. Never raises if it fails."""
        try:
            if (keeper := self._keeper(entry)) is not None:
                await keeper.release_registration(entry)
        except Exception as error:
            log.error("what a provider kept of a resource stays", extra={"id": entry.id}, exc_info=error)

    def _keeper(self, entry: Entry) -> KeepsRegistrations | None:
        provider = self.providers.get(entry.provider_id)
        adapter = provider.adapter if provider is not None else None
        return adapter if isinstance(adapter, KeepsRegistrations) else None

    def trouble(self, provider_id: str) -> str:
        """Why a provider's list is not available, and since when; empty if it is."""
        provider = self.providers.get(provider_id)
        if provider is None or not provider.listing_trouble:
            return ""
        return str(Outage(reason=provider.listing_trouble, since=provider.outage.since))


async def look_after(provider: RunningProvider, *, interval_s: float) -> None:
    """Ask a provider for its list every `interval_s` and for its health every minute, or sooner after a failure. Ends
    when cancelled, or when the provider has failed to start; a later start begins it again.

    The health of a provider on the internet is checked only with its list, and after a failed call: for a vendor both
    are the same call, and some lists are half a megabyte.
    """
    failures, retry_at, failed_calls = 0, 0.0, provider.http.connections.failed_calls
    list_at, check_at = time.monotonic() + interval_s, time.monotonic() + _HEALTH_INTERVAL_S
    while provider.phase != "failed":
        await asyncio.sleep(min(_RETRY_S, interval_s))
        now = time.monotonic()
        if provider.trouble and now < retry_at:
            continue
        try:
            if provider.lists and (now >= list_at or provider.listing_trouble):
                list_at = now + interval_s
                await provider.ask()
            if now >= check_at or provider.health_trouble or provider.http.connections.failed_calls != failed_calls:
                is_far = provider.planned.spec.kind == "remote" and not provider.http.connections.is_near
                check_at = now + (interval_s if is_far else _HEALTH_INTERVAL_S)
                await provider.health()
        except Exception:
            # A bug of ours. The next round may succeed, and without it nothing would ever be listed again.
            log.exception("check of a provider failed", extra={"provider": provider.name})
        failed_calls = provider.http.connections.failed_calls
        failures = failures + 1 if provider.trouble else 0
        retry_at = now + min(_RETRY_S * 2 ** min(failures, 5), _MAX_RETRY_S, interval_s)
