"""Datasets in a folder of this machine: each has its versions, and each version its rows, which never change.

The folder is opened by the first request, since DuckDB takes a while to import.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.apis._request import Registered
from runtime.apis.datasetio.protocol import AppendRowsRequest, DatasetVersion, DatasetVersionList, IterRowsRequest
from runtime.apis.datasets.protocol import DatasetRequest
from runtime.context import warn
from runtime.errors import NotFound, RequestError, StackError, Unavailable
from runtime.http.data_addresses import is_data_address
from runtime.ids import new_id
from runtime.invalid.vocabulary import shortened
from runtime.provider import ProviderContext
from runtime.providers.datasetio.localfs.asked import asked_for
from runtime.providers.datasetio.localfs.config import LocalRowsConfig
from runtime.providers.datasetio.localfs.failures import UNAVAILABLE, unavailable
from runtime.providers.datasetio.localfs.given import LONGEST_PLACE, Given
from runtime.providers.datasetio.localfs.hub import is_of_the_hub
from runtime.providers.datasetio.localfs.installed import version_of
from runtime.providers.datasetio.localfs.manifest import Manifest
from runtime.providers.datasetio.localfs.places import Places
from runtime.providers.datasetio.localfs.sources import Sources
from runtime.sse import Reply, encode
from runtime.storage.analytics.interrupting import Interruptible, answer_of
from runtime.to_the_end import to_the_end
from runtime.turns import Turns

if TYPE_CHECKING:
    from runtime.providers.datasetio.localfs.library import Library

log = logging.getLogger(__name__)
_READERS = 4


class LocalRows:
    """What changes a dataset waits for its turn; reading waits for nothing."""

    def __init__(self, config: LocalRowsConfig, context: ProviderContext) -> None:
        self._config = config
        self._places = Places(context.state_dir)
        self._registered = context.registrations
        self._sources = Sources(config, context, lsfs=context.state_dir / "lsfs")
        self._turns = Turns()
        self._opening = asyncio.Lock()
        self._library: Library | None = None
        self._is_prepared = False
        self._known: dict[str, Manifest] = {}
        self._configured_sources: dict[str, _Source] = {}
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix=f"{context.provider_id} reads")

    async def start(self) -> None:
        """Remove what a process that was killed has left. Raises Unavailable."""
        await self._prepare()

    async def stop(self) -> None:
        await asyncio.to_thread(self._readers.shutdown, cancel_futures=True)
        async with self._opening:
            library, self._library = self._library, None
            if library is not None:
                await asyncio.to_thread(library.close)

    async def take_registration(self, resource: Registered, before: Registered | None) -> Mapping[str, Any]:
        """Raises RequestError for a source that cannot be read and for rows that cannot be kept, Unavailable."""
        key = _key_of(resource)
        async with self._turn(key) as library:
            if before is None:
                await asyncio.to_thread(self._forget, key)
            await self._take(library, key, resource, is_new=before is None)
        return {"source": _shown(resource.facts["source"])}

    async def release_registration(self, resource: Registered) -> None:
        """Raises Unavailable where its rows cannot be removed."""
        key = _key_of(resource)
        async with self._turn(key):
            await asyncio.to_thread(self._forget, key)

    async def iterrows(self, request: IterRowsRequest) -> Reply:
        """Raises NotFound for an unknown version, RequestError for unknown columns and a wrong filter, Unavailable."""
        key, manifest = await self._manifest(request.resource)
        version = manifest.version(request.version)
        asked = asked_for(request, [name for name, _ in version.columns])
        library, work = await self._opened(), Interruptible()
        answer = asyncio.get_running_loop().run_in_executor(
            self._readers, library.page, key, version, manifest.parts_of(version), asked, work
        )
        return Reply(await answer_of(work, answer))

    async def append_rows(self, request: AppendRowsRequest) -> DatasetVersion:
        """Raises RequestError for rows that cannot be kept, Unavailable."""
        key, manifest = await self._manifest(request.resource)
        assert request.resource is not None, "a router names it"
        if is_of_the_hub(request.resource.facts["source"].get("uri", "")):
            warn(f"the rows are appended to the copy of `{request.dataset_id}` here: the hub's dataset stays as it is")
        return await to_the_end(self._append(key, manifest.made, request.rows))

    async def list_versions(self, request: DatasetRequest) -> DatasetVersionList:
        """Raises Unavailable."""
        _, manifest = await self._manifest(request.resource)
        return DatasetVersionList(data=[version.shown() for version in reversed(manifest.versions)])

    async def _append(self, key: str, made: str, rows: list[Any]) -> DatasetVersion:
        async with self._turn(key) as library, self._folder() as folder:
            before = self._known.get(key)
            if before is None or before.made != made:
                raise NotFound("The dataset was removed meanwhile", param="dataset_id")
            self._known[key] = after = await asyncio.to_thread(library.append, key, before, rows, folder)
            return after.latest.shown()

    async def _manifest(self, resource: Registered | None) -> tuple[str, Manifest]:
        """What is known about a dataset, whose rows are taken now if the run config names it. Raises Unavailable."""
        assert resource is not None, "a router names it"
        key = _key_of(resource)
        if resource.source != "registered":
            return key, await self._configured(resource, key)
        if (known := self._known.get(key)) is None:
            await self._prepare()
            found = await asyncio.to_thread(self._places.manifest, key)
            if found is None:
                raise Unavailable(
                    f"the rows of the dataset `{resource.id}` are not there",
                    hint="register it anew",
                    code="rows_unreadable",
                )
            await self._on_disk(self._places.is_kept, key)
            known = self._known.setdefault(key, found)
        return key, known

    async def _configured(self, resource: Registered, key: str) -> Manifest:
        """The same for a dataset of the run config: taken once, and again when its source has become another one, or
        its package another version.
        """
        source = self._configured_sources.get(key)
        if source is None or source.given != resource.facts["source"]:
            source = await asyncio.to_thread(_source_of, resource.facts["source"])
            self._configured_sources[key] = source
        if (known := self._known.get(key)) is not None and known.source == source.digest:
            return known
        return await to_the_end(self._take_configured(resource, key, source))

    async def _take_configured(self, resource: Registered, key: str, source: _Source) -> Manifest:
        async with self._turn(key) as library:
            known = await asyncio.to_thread(self._places.manifest, key)
            is_from_there = known is not None and known.source.startswith(source.address)
            if known is None or not (known.source == source.digest or (is_from_there and source.version is None)):
                try:
                    return await self._take(library, key, resource, source=source.digest)
                except RequestError as error:
                    raise Unavailable(error.message, hint=error.hint, code="rows_unreadable") from error
            self._known[key] = known = known.of_source(source.digest)
            return known

    async def _take(
        self, library: Library, key: str, resource: Registered, *, source: str = "", is_new: bool = False
    ) -> Manifest:
        """Let the rows of a dataset's source be its latest version."""
        given = resource.facts["source"]
        begun = await asyncio.to_thread(self._places.manifest, key) or Manifest(
            dataset=resource.id, made=new_id("made-")
        )
        begun = begun.of_source(source)
        async with self._folder() as folder:
            try:
                if given["type"] == "rows":
                    work: Callable[..., Manifest] = library.add_rows
                    content: Any = given["rows"]
                else:
                    work = library.add_files
                    content = await self._files(given["uri"], folder, is_trusted=resource.source == "config")
                self._known[key] = taken = await asyncio.to_thread(work, key, begun, content, folder, is_new=is_new)
            except OSError as error:
                raise self._unavailable(error) from error
            except StackError as error:
                if _is_hidden(resource) and error.code != UNAVAILABLE:
                    raise _unreadable(resource, error) from error
                where = "its rows" if given["type"] == "rows" else f"`{shortened(_shown(given)['uri'], LONGEST_PLACE)}`"
                words = f"The dataset `{resource.id}` cannot be read from {where}: {error.message}"
                raise error.saying(words, param="source" if isinstance(error, RequestError) else None) from error
        return taken

    async def _files(self, uri: str, folder: Path, *, is_trusted: bool) -> list[Given]:
        return [given async for given in self._sources.files(uri, folder, is_trusted=is_trusted)]

    def _forget(self, key: str) -> None:
        self._known.pop(key, None)
        try:
            self._places.forget(key)
        except OSError as error:
            raise self._unavailable(error) from error

    @asynccontextmanager
    async def _turn(self, key: str) -> AsyncIterator[Library]:
        library = await self._opened()
        async with self._turns.of(key):
            yield library

    @asynccontextmanager
    async def _folder(self) -> AsyncIterator[Path]:
        """For what is not whole yet; gone at the end."""
        folder = self._places.temporary / new_id("")
        await self._on_disk(folder.mkdir, 0o700)
        try:
            yield folder
        finally:
            await to_the_end(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))

    async def _opened(self) -> Library:
        if self._library is not None:
            return self._library
        await self._prepare()
        async with self._opening:
            if self._library is None:
                self._library = await asyncio.to_thread(self._open)
            return self._library

    def _open(self) -> Library:
        from runtime.providers.datasetio.localfs.library import Library

        return Library(self._places, self._config)

    async def _prepare(self) -> None:
        if self._is_prepared:
            return
        async with self._opening:
            if not self._is_prepared:
                named = {_key_of(resource) for resource in self._registered()}
                await self._on_disk(self._places.prepare, named)
                self._is_prepared = True

    async def _on_disk(self, work: Callable[..., object], *given: Any) -> None:
        """Raises Unavailable where the disk refuses it."""
        try:
            await asyncio.to_thread(work, *given)
        except OSError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: OSError) -> Unavailable:
        return unavailable(self._places.folder, "written", error.strerror or type(error).__name__)


@dataclass(frozen=True, kw_only=True)
class _Source:
    """Where the rows of a dataset of the run config are from. given: as it says so. address: the digest of that.
    version: of the package that it names, as long as the process runs; None where it names none that is here.
    """

    given: Mapping[str, Any]
    address: str
    version: str | None

    @property
    def digest(self) -> str:
        """What a manifest has of it."""
        return f"{self.address} {self.version}" if self.version else self.address


def _source_of(given: Mapping[str, Any]) -> _Source:
    version = version_of(given["uri"].strip()) if given["type"] == "uri" else None
    return _Source(given=given, address=hashlib.sha256(encode(given)).hexdigest(), version=version)


def _key_of(resource: Registered) -> str:
    """One of the run config and one that was registered before it are two, even under one name."""
    return f"{'registered' if resource.source == 'registered' else 'config'}/{resource.id}"


def _is_hidden(resource: Registered) -> bool:
    """Whether its source is one of the run config that callers are not shown."""
    is_theirs = resource.source == "registered"
    return not is_theirs and resource.without_secrets().facts["source"] != resource.facts["source"]


def _unreadable(resource: Registered, error: StackError) -> Unavailable:
    """For callers, who are not told where the run config has its rows."""
    why = f"{error.message} ({error.hint})" if error.hint else error.message
    log.error("dataset of the run config not read", extra={"dataset": resource.id, "error": why})
    return Unavailable(
        f"The dataset `{resource.id}` cannot be read from where the run config has it",
        hint="the server's log says why",
        code="rows_unreadable",
    )


def _shown(source: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is kept of a source in its registration: neither rows nor data."""
    if source["type"] == "rows":
        return {**source, "rows": []}
    uri = source["uri"].strip()
    return {**source, "uri": f"{uri.partition(',')[0][:200]},..."} if is_data_address(uri) else source
