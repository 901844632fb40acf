"""Datasets of the Hugging Face hub as the Parquet files that it makes of each:
https://huggingface.co/docs/dataset-viewer/parquet

    huggingface://datasets/ORG/NAME?config=CONFIG&split=SPLIT
    GET /api/datasets/ORG/NAME/parquet  ->  {CONFIG: {SPLIT: [address, ...]}}
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from runtime.addresses import led_to
from runtime.errors import RequestError, UpstreamRejected
from runtime.http.auth import Bearer
from runtime.http.given_addresses import unreadable
from runtime.http.pages import REDIRECTIONS, Pages, received
from runtime.http.transport import Outgoing
from runtime.provider import ProviderContext
from runtime.similar import did_you_mean

_SCHEMES = ("huggingface://", "hf://")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?")
_FIELDS = ("config", "name", "split")
_USUAL = "default"
_EXAMPLE = "huggingface://datasets/ORG/NAME?split=train"
_SHOWN = 20


def is_of_the_hub(uri: str) -> bool:
    return uri.lower().startswith(_SCHEMES)


class Hub:
    """pages: for addresses that the hub leads to, which do not get its token."""

    def __init__(self, base_url: str, context: ProviderContext, pages: Pages) -> None:
        self._base = base_url.rstrip("/")
        self._http = context.http.with_auth(Bearer(context.keys), address=self._base)
        self._pages = pages

    async def parquet_of(self, uri: str) -> list[str]:
        """The addresses of the files of a dataset's split. Raises RequestError, UpstreamError."""
        name, config, split = _asked(uri)
        try:
            listed = await self._http.value(Outgoing(method="GET", url=f"{self._base}/api/datasets/{name}/parquet"))
        except UpstreamRejected as error:
            raise RequestError(
                f"the hub has no Parquet of `{name}`: {error.message}",
                hint="is the name right, and does it need a token that may read it?",
                code="address_unreadable",
            ) from error
        splits = _chosen(listed, config or _USUAL, is_asked=bool(config), what="config", of=name)
        urls = _chosen(splits, split, is_asked=bool(split), what="split", of=name)
        if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
            raise _odd(name)
        return urls

    async def fetch(
        self, url: str, keep: Callable[[bytes], Awaitable[None]], *, limit_bytes: int, timeout_s: float
    ) -> None:
        """One of those files. Raises RequestError, TooLarge, UpstreamError."""
        if not url.startswith(f"{self._base}/"):
            await self._pages.fetch(url, keep, limit_bytes=limit_bytes, timeout_s=timeout_s)
            return
        exchange = await self._http.exchange(Outgoing(method="GET", url=url), redirects=True)
        try:
            if exchange.status not in REDIRECTIONS:
                async with asyncio.timeout(timeout_s):
                    await received(exchange, url, keep, limit_bytes)
                return
            there = led_to(url, exchange.headers.get("location", ""))
        except TimeoutError:
            raise unreadable(url, f"it took longer than {timeout_s:g} s") from None
        finally:
            await exchange.close()
        if there is None:
            raise unreadable(url, "it leads on to what is no address")
        await self._pages.fetch(there, keep, limit_bytes=limit_bytes, timeout_s=timeout_s)


def _asked(uri: str) -> tuple[str, str, str]:
    """The name of a dataset, and which config and split of it; empty for the usual one. Raises RequestError."""
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise _no_dataset() from error
    place = f"{parts.netloc}{parts.path}".strip("/")
    name = place.removeprefix("datasets/")
    query = parse_qs(parts.query)
    if unknown := set(query).difference(_FIELDS):
        raise RequestError(f"a dataset of the hub has no `{min(unknown)}`", hint=f"there are {', '.join(_FIELDS)}")
    if name == place or not _NAME.fullmatch(name) or ".." in name:
        raise _no_dataset()
    config = (query.get("config") or query.get("name") or [""])[0]
    return name, config, query.get("split", [""])[0]


def _chosen(listed: Any, name: str, *, is_asked: bool, what: str, of: str) -> Any:
    """One of several: the one that is asked for, the usual one, or the only one. Raises RequestError."""
    if not isinstance(listed, dict) or not listed:
        raise _odd(of)
    if name in listed:
        return listed[name]
    if not is_asked and len(listed) == 1:
        return next(iter(listed.values()))
    names = [str(one) for one in listed]
    there = did_you_mean(name, names) if is_asked else None
    shown = ", ".join(f"`{one}`" for one in names[:_SHOWN]) + (" and others" if len(names) > _SHOWN else "")
    raise RequestError(
        f"`{of}` has no {what} `{name}`" if is_asked else f"`{of}` has several {what}s",
        hint=there or f"say `{what}=` one of {shown}",
    )


def _no_dataset() -> RequestError:
    return RequestError("it names no dataset of the hub", hint=f"as in `{_EXAMPLE}`", code="invalid_address")


def _odd(name: str) -> RequestError:
    return RequestError(f"the hub does not say which Parquet files `{name}` has", code="address_unreadable")
