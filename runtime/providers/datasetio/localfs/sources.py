"""Where rows come from: each source is copied into a file of ours first, whole and no larger than it may be.

https://, http://                 public servers, guarded as every address that a user gives
data:                             what the address itself says
file:///PATH, /PATH, lsfs://NAME  files of this machine
package://NAME/PATH               files of installed packages
huggingface://datasets/ORG/NAME   a public set of rows, by the hub's Parquet
file-...                          a file of `/v1/files`, as the caller
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from runtime.apis.files.file import FileRequest
from runtime.apis.files.protocol import Files
from runtime.errors import NotFound, NotSupported, RequestError
from runtime.http.data_addresses import is_data_address, read_data_address
from runtime.http.pages import Pages
from runtime.provider import ProviderContext
from runtime.providers.datasetio.localfs.config import LocalRowsConfig
from runtime.providers.datasetio.localfs.given import Given, check_size, new_path
from runtime.providers.datasetio.localfs.hub import Hub, is_of_the_hub
from runtime.providers.datasetio.localfs.local_files import LocalFiles

_FILE_ID = re.compile(r"file-[A-Za-z0-9_-]{1,200}")


class Sources:
    """lsfs: a folder of the provider."""

    def __init__(self, config: LocalRowsConfig, context: ProviderContext, *, lsfs: Path) -> None:
        self._most = config.max_source_bytes
        self._timeout_s = config.fetch_timeout_s
        self._local = LocalFiles(config, lsfs=lsfs)
        self._files = context.optional_api(Files)  # type: ignore[type-abstract]
        self._pages = Pages(
            context.http, allow_private=config.read_private_addresses, allowed_by="`read_private_addresses`"
        )
        self._hub = Hub(config.huggingface_url, context, self._pages)

    async def files(self, uri: str, folder: Path, *, is_trusted: bool) -> AsyncIterator[Given]:
        """Each file of a source, copied into a folder. is_trusted: whether the run config names it, which may name any
        path.

        Raises RequestError for what cannot be read, TooLarge, NotSupported without files, UpstreamError.
        """
        uri = uri.strip()
        if is_of_the_hub(uri):
            for given in await self._of_the_hub(uri, folder):
                yield given
        elif _FILE_ID.fullmatch(uri):
            yield await self._stored(uri, folder)
        elif is_data_address(uri):
            data = read_data_address(uri, limit_bytes=self._most)
            path = new_path(folder)
            await asyncio.to_thread(path.write_bytes, data.content)
            yield Given(path=path, name="", content_type=data.content_type)
        elif uri.lower().startswith(("https://", "http://")):
            path = new_path(folder)
            with path.open("xb") as file:
                page = await self._pages.fetch(uri, _writing(file), limit_bytes=self._most, timeout_s=self._timeout_s)
            yield Given(path=path, name=urlsplit(page.url).path, content_type=page.content_type)
        else:
            yield await asyncio.to_thread(self._local.copied, uri, folder, is_trusted=is_trusted)

    async def _of_the_hub(self, uri: str, folder: Path) -> list[Given]:
        """Limits are of all files together."""
        found: list[Given] = []
        size = 0
        try:
            async with asyncio.timeout(self._timeout_s):
                for number, url in enumerate(await self._hub.parquet_of(uri)):
                    path = new_path(folder)
                    with path.open("xb") as file:
                        keep = _writing(file, most=self._most, before=size)
                        await self._hub.fetch(url, keep, limit_bytes=self._most, timeout_s=self._timeout_s)
                        size += file.tell()
                    found.append(Given(path=path, name=f"{number}.parquet"))
        except TimeoutError:
            raise RequestError(f"it took longer than {self._timeout_s:g} s", code="address_unreadable") from None
        return found

    async def _stored(self, file_id: str, folder: Path) -> Given:
        if self._files is None:
            raise NotSupported("Files cannot be read: the API files has no provider", param="source.uri")
        try:
            about = await self._files.get_file(FileRequest(file_id=file_id))
            check_size(about.bytes, self._most)
            stored = await self._files.read_file(FileRequest(file_id=file_id))
        except NotFound:
            raise RequestError("there is no such file", hint="`GET /v1/files` lists those that there are") from None
        path = new_path(folder)
        with path.open("xb") as file:
            keep = _writing(file)
            async for piece in stored.read(0, stored.size_bytes):
                await keep(piece)
        return Given(path=path, name=about.filename)


def _writing(file: BinaryIO, *, most: int | None = None, before: int = 0) -> Callable[[bytes], Awaitable[None]]:
    """Keeps what comes in a file. most: bytes of its source, None where somebody else counts them. before: how many of
    these are in other files.
    """

    async def keep(chunk: bytes) -> None:
        if most is not None:
            check_size(before + file.tell() + len(chunk), most)
        await asyncio.to_thread(file.write, chunk)

    return keep
