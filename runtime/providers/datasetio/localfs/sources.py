"""Where rows come from: each source is copied into a file of ours first, whole and no larger than it may be.

https://, http://                 public servers, guarded as every address that a user gives
data:                             what the address itself says
file:///PATH, /PATH               below the folders that the run config allows; anywhere for the run config itself
lsfs://NAME                       a file in the provider's folder `lsfs`
huggingface://datasets/ORG/NAME   a public set of rows, by the hub's Parquet
file-...                          a file of `/v1/files`, as the caller
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from runtime.addresses import origin_of
from runtime.apis.files.file import FileRequest
from runtime.apis.files.protocol import Files
from runtime.errors import NotFound, NotSupported, RequestError, TooLarge
from runtime.http.data_addresses import is_data_address, read_data_address
from runtime.http.pages import Pages
from runtime.ids import new_id
from runtime.invalid.vocabulary import shortened
from runtime.provider import ProviderContext
from runtime.providers.datasetio.localfs.config import LocalRowsConfig
from runtime.providers.datasetio.localfs.hub import Hub, is_of_the_hub

_FILE_ID = re.compile(r"file-[A-Za-z0-9_-]{1,200}")
LONGEST_PLACE = 300
"""Of an address or a path in a message: what names the file stands at its end."""
_WAYS = "give `https://`, `data:`, `huggingface://datasets/ID?split=S`, or the id of a file of `/v1/files`"
_PIECE = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Given:
    """A source, or one file of it, in a file of ours. name: what it is called where it is from, for its ending."""

    path: Path
    name: str
    content_type: str = ""

    def open(self) -> BinaryIO:
        return self.path.open("rb")


class Sources:
    """lsfs: a folder of the provider."""

    def __init__(self, config: LocalRowsConfig, context: ProviderContext, *, lsfs: Path) -> None:
        self._most = config.max_source_bytes
        self._timeout_s = config.fetch_timeout_s
        self._folders = [Path(folder).expanduser() for folder in config.allowed_folders]
        self._lsfs = lsfs
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
            for number, url in enumerate(await self._hub.parquet_of(uri)):
                path = _new(folder)
                with path.open("xb") as file:
                    await self._hub.fetch(url, _writing(file), limit_bytes=self._most, timeout_s=self._timeout_s)
                yield Given(path=path, name=f"{number}.parquet")
        elif _FILE_ID.fullmatch(uri):
            yield await self._stored(uri, folder)
        elif is_data_address(uri):
            data = read_data_address(uri, limit_bytes=self._most)
            path = _new(folder)
            await asyncio.to_thread(path.write_bytes, data.content)
            yield Given(path=path, name="", content_type=data.content_type)
        elif uri.lower().startswith(("https://", "http://")):
            path = _new(folder)
            with path.open("xb") as file:
                page = await self._pages.fetch(uri, _writing(file), limit_bytes=self._most, timeout_s=self._timeout_s)
            yield Given(path=path, name=urlsplit(page.url).path, content_type=page.content_type)
        else:
            found = self._path(uri, is_trusted=is_trusted)
            yield await asyncio.to_thread(self._copied, found, folder, shortened(uri, LONGEST_PLACE))

    async def _stored(self, file_id: str, folder: Path) -> Given:
        if self._files is None:
            raise NotSupported("Files cannot be read: the API files has no provider", param="source.uri")
        try:
            about = await self._files.get_file(FileRequest(file_id=file_id))
            self._check_size(about.bytes)
            stored = await self._files.read_file(FileRequest(file_id=file_id))
        except NotFound:
            raise RequestError("there is no such file", hint="`GET /v1/files` lists those that there are") from None
        path = _new(folder)
        with path.open("xb") as file:
            keep = _writing(file)
            async for piece in stored.read(0, stored.size_bytes):
                await keep(piece)
        return Given(path=path, name=about.filename)

    def _path(self, uri: str, *, is_trusted: bool) -> Path:
        """Where a file of this machine is. Raises RequestError for one that may not be read, or is no path."""
        if uri.startswith("lsfs://"):
            return _below([self._lsfs], self._lsfs / unquote(uri.removeprefix("lsfs://")), "in the provider's `lsfs`")
        if uri.lower().startswith("file:"):
            parts = urlsplit(uri)
            if parts.netloc not in ("", "localhost"):
                raise RequestError("a `file:` address names a file of this machine", hint="as in `file:///data/a.csv`")
            named = unquote(parts.path)
        elif re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", uri):
            raise RequestError(f"addresses of the kind `{origin_of(uri)[:40]}` cannot be read", hint=_WAYS)
        else:
            named = uri
        path = Path(named).expanduser() if is_trusted else Path(named)
        if "\0" in named or not (path.is_absolute() or is_trusted):
            raise RequestError("it is neither an address nor an absolute path", hint=_WAYS)
        if is_trusted:
            return path
        if not self._folders:
            raise RequestError(
                "files of this machine may not be registered",
                hint="whoever runs this server allows folders with `allowed_folders` in the provider's config; or send"
                " the file to `/v1/files` and give its id",
                code="path_not_allowed",
            )
        return _below(self._folders, path, "below a folder that `allowed_folders` has")

    def _copied(self, path: Path, folder: Path, called: str) -> Given:
        """A copy of a file of this machine, as it is now. Raises RequestError, TooLarge."""
        try:
            opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise RequestError(f"`{called}` cannot be read: {error.strerror}") from error
        try:
            about = os.fstat(opened)
            if not stat.S_ISREG(about.st_mode):
                raise RequestError(f"`{called}` is no file" + (" but a folder" if stat.S_ISDIR(about.st_mode) else ""))
            copy, size = _new(folder), 0
            with copy.open("xb") as file:
                while piece := os.read(opened, _PIECE):
                    size += len(piece)
                    self._check_size(max(size, about.st_size))
                    file.write(piece)
        finally:
            os.close(opened)
        return Given(path=copy, name=path.name)

    def _check_size(self, size: int) -> None:
        if size > self._most:
            raise TooLarge(
                f"it has more than {self._most} bytes",
                hint="raise `max_source_bytes` in the provider's config",
                code="document_over_limit",
            )


def _new(folder: Path) -> Path:
    return folder / new_id("")


def _below(folders: list[Path], path: Path, where: str) -> Path:
    """The path without links. Raises RequestError for one that is not there, or leads out of the folders."""
    try:
        found = path.resolve(strict=True)
        is_allowed = any(found.is_relative_to(folder.resolve()) for folder in folders)
    except (OSError, RuntimeError, ValueError):  # a circle of links, a name that is too long
        is_allowed = False
    if not is_allowed:
        raise RequestError(f"there is no such file {where}", code="path_not_allowed")
    return found


def _writing(file: BinaryIO) -> Callable[[bytes], Awaitable[None]]:
    async def keep(chunk: bytes) -> None:
        await asyncio.to_thread(file.write, chunk)

    return keep
