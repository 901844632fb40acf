"""Files of NeMo's data store, which speaks the protocol of the Hugging Face hub below `/v1/hf`. Knows no rows.
https://docs.nvidia.com/nemo/microservices/latest/manage-entities/datasets and https://huggingface.co/docs/hub/api (read
November 2026)

    GET /v1/hf/api/datasets/NS/NAME[/revision/COMMIT]       -> {"sha": COMMIT, "siblings": [{"rfilename": PATH}, ...]}
    GET /v1/hf/datasets/NS/NAME/resolve/COMMIT/PATH         -> its bytes, or a redirection to them; `range` may be asked
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from runtime.addresses import led_to, origin_of
from runtime.errors import NotFound, NotSupported, Unavailable, UpstreamRejected
from runtime.http.auth import Bearer
from runtime.http.pages import REDIRECTIONS
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Exchange, Outgoing
from runtime.invalid.vocabulary import shortened
from runtime.provider import ProviderContext

_URI = re.compile(r"(?:hf|huggingface)://datasets/([A-Za-z0-9._-]+/[A-Za-z0-9._-]+)(?:/(.*))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
PARTIAL = 206
_LIMITS = Timeouts(connect_s=10.0, read_s=60.0, total_s=600.0)


@dataclass(frozen=True, kw_only=True)
class Files:
    """What a dataset has at one time. name: of its repository; paths: of its files, in order."""

    name: str
    commit: str
    paths: list[str]


class DataStore:
    """Its key is sent to no other server, also where it leads to one. Each method raises what `HttpClient` raises."""

    def __init__(self, url: str, context: ProviderContext) -> None:
        base = url.rstrip("/").removesuffix("/hf").removesuffix("/v1")
        self._base = f"{base}/v1/hf"
        self._http = context.http.with_auth(Bearer(context.keys), address=base, timeouts=_LIMITS)
        self._others = context.http.for_others(only_public=False, are_given=False, called="where the data store leads")

    async def files(self, uri: str, version: str | None) -> Files:
        """The files that an address names: one, those of a folder, or all of a repository. version: a commit, or the
        beginning of the latest one; None for the latest. Raises NotSupported for another address, NotFound, Unavailable
        for an answer that does not list files.
        """
        parts = _URI.fullmatch(uri)
        if parts is None or ".." in uri:
            raise NotSupported(
                "the dataset's source is not in NeMo's data store, which alone is read here",
                hint="as in `hf://datasets/NAMESPACE/NAME`; others are read with `inline::localfs`",
            )
        name, within = parts[1], (parts[2] or "").strip("/")
        found = await self._listed(name, version)
        paths = sorted(path for path in found.paths if not within or path == within or path.startswith(f"{within}/"))
        return Files(name=name, commit=found.commit, paths=paths)

    @asynccontextmanager
    async def opened(self, files: Files, path: str, *, offset: int = 0) -> AsyncIterator[Exchange]:
        """The bytes of a file, as they arrive: from an offset on where the status is `PARTIAL`, else all. Raises
        Unavailable where it cannot be read.
        """
        headers = {"accept-encoding": "identity"} | ({"range": f"bytes={offset}-"} if offset else {})
        url = f"{self._base}/datasets/{files.name}/resolve/{files.commit}/{quote(path)}"
        exchange = await self._http.exchange(Outgoing(method="GET", url=url, headers=headers), redirects=True)
        try:
            if exchange.status in REDIRECTIONS:
                there = led_to(url, exchange.headers.get("location", ""))
                await exchange.close()
                if there is None:
                    raise file_unreadable(files, path, "it leads on to what is no address")
                client = self._http if origin_of(there) == origin_of(url) else self._others
                exchange = await client.send(Outgoing(method="GET", url=there, headers=headers, timeouts=_LIMITS))
            is_from_there = exchange.headers.get("content-range", "").startswith(f"bytes {offset}-")
            if exchange.status != 200 and not (exchange.status == PARTIAL and offset and is_from_there):
                raise file_unreadable(files, path, f"the data store answered {exchange.status}")
            yield exchange
        finally:
            await exchange.close()

    async def _listed(self, name: str, version: str | None) -> Files:
        asked = (version or "").removeprefix("sha256:")
        url = f"{self._base}/api/datasets/{name}"
        if _COMMIT.fullmatch(asked):
            url = f"{url}/revision/{asked}"
        try:
            listed = await self._http.value(Outgoing(method="GET", url=url))
        except UpstreamRejected as error:
            if error.upstream_status != 404:
                raise
            if not version:
                raise Unavailable(
                    f"the data store has no dataset `{name}`", hint="upload it there", code="rows_unreadable"
                ) from error
            raise _no_version(name, version) from error
        commit, paths = _read(listed)
        if commit is None or paths is None:
            raise Unavailable(f"the data store does not say which files `{name}` has", code="rows_unreadable")
        if not commit.startswith(asked):
            raise _no_version(name, asked, f"the latest is `{commit[:12]}`; earlier ones are named by all 40 digits")
        return Files(name=name, commit=commit, paths=paths)


def file_unreadable(files: Files, path: str, why: str) -> Unavailable:
    return Unavailable(f"`{shortened(path)}` of `{files.name}` cannot be read: {why}", code="rows_unreadable")


def _no_version(name: str, version: str, hint: str | None = None) -> NotFound:
    return NotFound(f"the data store has no version `{version}` of `{name}`", hint=hint, param="version")


def _read(listed: Any) -> tuple[str | None, list[str] | None]:
    """The commit and the paths of an answer, as far as it has them."""
    if not isinstance(listed, dict) or not isinstance(siblings := listed.get("siblings"), list):
        return None, None
    paths = [path for one in siblings if isinstance(one, dict) and isinstance(path := one.get("rfilename"), str)]
    commit = listed.get("sha")
    is_commit = isinstance(commit, str) and _COMMIT.fullmatch(commit)
    return commit if is_commit else None, paths if len(paths) == len(siblings) else None
