"""Which models a vendor serves, whether it can be reached, and whether its address leads back to this server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.apis.models import ModelType
from runtime.apis.providers.protocol import ProviderHealth
from runtime.http.client import HttpClient
from runtime.http.refusals import Call
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing
from runtime.provider import LeadsBack, ListedModel, ProviderContext, healthy, unhealthy
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig
from runtime.providers.inference._openai_compatible.model_list import (
    MAX_ENTRIES,
    Kind,
    ListEntry,
    More,
    Page,
    Reader,
    entries_of,
    no_more,
    page_in,
)
from runtime.providers.inference._openai_compatible.spec import OpenAICompatible

_LISTING = Timeouts(connect_s=3, read_s=10)
_MOST_PAGES = 20


class VendorModels:
    """url: of the vendor's list. key_hint: how a person gives a key. read: what its list looks like. more: where the
    list goes on. loop: why requests are refused at present, if the address leads back to us.
    """

    def __init__(
        self,
        config: OpenAICompatibleConfig,
        context: ProviderContext,
        *,
        http: HttpClient,
        url: str,
        key_hint: str,
        read: Reader = entries_of,
        more: More = no_more,
    ) -> None:
        self._config = config
        self._facts: OpenAICompatible = context.spec.facts
        self._provider_id = context.provider_id
        self._http = http
        self._url = url
        self._key_hint = key_hint
        self._read, self._more = read, more
        self._waits_for_key = self._facts.key_required and context.keys.configured() is None
        self._check_upstream = context.check_upstream
        self._known: list[ListedModel] | None = None
        self.loop: LeadsBack | None = None

    async def list_models(self) -> list[ListedModel]:
        """The vendor's models; for a vendor without a list, those that the config allows, else those of its data."""
        if self._known is not None and not self._config.refresh_models:
            return self._known
        allowed = self._config.allowed_models
        if not self._facts.lists_models:
            return [self._listed(name, None, {}) for name in (self._facts.models if allowed is None else allowed)]
        if self._waits_for_key:
            return []
        cut = self._facts.model_prefix
        found = [(entry.name.removeprefix(cut), entry) for entry in await self._ask()]
        self._known = [
            self._listed(name, entry.kind, entry.facts) for name, entry in found if allowed is None or name in allowed
        ]
        return self._known

    async def check_health(self) -> ProviderHealth:
        if self._waits_for_key:
            return unhealthy(f"no key: {self._key_hint}", state="needs-key")
        if self._facts.lists_models:
            await self._ask()
        return healthy()

    async def _ask(self) -> list[ListEntry]:
        """What the vendor lists. The stack asks without a request's context, so with the configured key: a
        caller's key may see models that others may not.
        """
        page = await self._page(self._url)
        entries = page.entries
        joint = "&" if "?" in self._url else "?"
        for _ in range(_MOST_PAGES):
            if not page.more or len(entries) >= MAX_ENTRIES:
                break
            page = await self._page(f"{self._url}{joint}{page.more}")
            entries += page.entries
        return entries[:MAX_ENTRIES]

    async def _page(self, url: str) -> Page:
        request = Outgoing(method="GET", url=url, headers=self._facts.headers or {}, timeouts=_LISTING)
        exchange = await self._http.send(request)
        try:
            self._refuse_loop(exchange.headers)
            page = await page_in(exchange, self._read, self._more)
        finally:
            await exchange.close()
        if isinstance(page, str):
            call = Call(self._provider_id, request, proxy=exchange.proxy)
            raise call.failed(f"answered {call.place} {page}")
        return page

    def _refuse_loop(self, headers: Mapping[str, str]) -> None:
        """Remember whether the address leads back to us; as long as it does, requests are refused too."""
        self.loop = None
        try:
            self._check_upstream(headers)
        except LeadsBack as error:
            self.loop = error
            raise

    def _listed(self, name: str, kind: Kind | None, facts: Mapping[str, Any]) -> ListedModel:
        """kind: what the vendor says about it; else its name is looked at."""
        if kind is not None:
            return ListedModel(provider_model_id=name, model_type=kind, metadata=facts)
        lowered = name.lower()
        model_type: ModelType | None = self._facts.model_type
        for fragment, of_name in self._facts.model_types:
            if fragment in lowered:
                model_type = of_name  # type: ignore[assignment]  # spec modules do not know the types of APIs
                break
        return ListedModel(provider_model_id=name, model_type=model_type, metadata=facts)
