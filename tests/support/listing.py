"""An inference provider whose lists, health and troubles a test decides; found by discovery as `inline::listing`, or
`remote::listing`, whose list is not waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from runtime.apis.providers.protocol import ProviderHealth
from runtime.provider import ListedModel, ProviderContext, healthy
from runtime.spec import Spec
from tests.support import house
from tests.support.house import ProbeConfig, furnish, probe_spec


class Listing:
    """Lists and health are those of the class, by provider id: a list of names or ListedModels, an exception, or
    anything else that no provider should return. asked: how often each was asked for its list. before_list: awaited
    before each list.
    """

    lists: dict[str, Any]
    healths: dict[str, Any]
    asked: dict[str, int]
    before_list: dict[str, Callable[[], Awaitable[Any]]]

    def __init__(self, config: ProbeConfig, context: ProviderContext) -> None:
        self._id = context.provider_id

    async def list_models(self) -> Any:
        type(self).asked[self._id] = self.asked.get(self._id, 0) + 1
        if self._id in self.before_list:
            await self.before_list[self._id]()
        found = self.lists.get(self._id, [])
        if isinstance(found, BaseException):
            raise found
        return [_model(one) for one in found] if isinstance(found, list) else found

    async def check_health(self) -> ProviderHealth:
        found = self.healths.get(self._id, healthy())
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[no-any-return]


def _model(one: Any) -> Any:
    return ListedModel(provider_model_id=one) if isinstance(one, str) else one


def furnish_listing(monkeypatch: pytest.MonkeyPatch, *more: Spec) -> type[Listing]:
    """Let discovery find it. Returns the class, made for this test alone, whose attributes are what it lists."""

    class Fresh(Listing):
        lists: dict[str, Any] = {}  # noqa: RUF012
        healths: dict[str, Any] = {}  # noqa: RUF012
        asked: dict[str, int] = {}  # noqa: RUF012
        before_list: dict[str, Callable[[], Awaitable[Any]]] = {}  # noqa: RUF012

    monkeypatch.setattr(house, "Listing", Fresh, raising=False)
    spec = probe_spec("listing", "Listing").found_in("inference", "tests.support.house")
    furnish(monkeypatch, [spec, replace(spec, provider_type="remote::listing"), *more])
    return Fresh


def listing_provider(provider_id: str, kind: str = "inline", **config: Any) -> dict[str, Any]:
    return {"provider_id": provider_id, "provider_type": f"{kind}::listing", "config": config}


async def until(holds: Callable[[], object], *, limit_s: float = 5.0) -> None:
    """Give way until it holds; the limit is a failure."""
    async with asyncio.timeout(limit_s):
        while not holds():
            await asyncio.sleep(0.005)


def ids(models: Iterable[dict[str, Any]]) -> list[str]:
    return [model["id"] for model in models]
