"""Files at OpenAI: a file has the vendor's id here too, so that its models know it by that.

A file is first stored on this disk, without a name: the vendor wants to know its size beforehand. If this process is
killed between the vendor's answer and our own record, the vendor keeps a file that nobody here knows.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterable
from pathlib import Path
from typing import IO
from urllib.parse import quote

from runtime.errors import Unavailable, UpstreamRejected
from runtime.http.auth import Bearer
from runtime.http.client import HttpClient
from runtime.http.forms import FormFile, form_request
from runtime.http.transport import Outgoing
from runtime.provider import ProviderContext
from runtime.providers.files._shared.backend import NewFile
from runtime.providers.files._shared.batches import batches
from runtime.providers.files._shared.folder import Folder
from runtime.providers.files._shared.service import FileService
from runtime.providers.files.openai.config import OpenAIFilesConfig

_BATCH_BYTES = 1024**2


def openai_files(config: OpenAIFilesConfig, context: ProviderContext) -> FileService:
    """The files of a provider. Raises Unavailable if its state folder cannot be written."""
    http = context.http.with_auth(Bearer(context.keys, required=True), address=config.base_url)
    parts = Folder(context.state_dir / "parts", name=context.provider_id)
    return FileService(config, context, OpenAIFiles(config.base_url, http, context.state_dir), parts=parts)


class OpenAIFiles:
    """Implements `FileBackend`. base_url: with its version path. folder: for files that are on their way."""

    new_file = "unsent_"  # until the vendor gives it its id
    is_local = False

    def __init__(self, base_url: str, http: HttpClient, folder: Path) -> None:
        self._url = f"{base_url.rstrip('/')}/files"
        self._http = http
        self._folder = folder

    async def check(self) -> None:
        """Nothing: the vendor is asked when a request needs it, with that request's key."""

    async def put(self, new: NewFile, content: AsyncIterable[bytes]) -> str:
        """Raises UpstreamError, Unavailable if the disk is full, and what `content` raises. Returns the vendor's id."""
        try:
            with tempfile.TemporaryFile(dir=self._folder) as spool:
                async for chunks in batches(content, _BATCH_BYTES):
                    await asyncio.to_thread(spool.writelines, chunks)
                size = spool.tell()
                spool.seek(0)
                file = FormFile(name="file", filename=new.filename, content=_read(spool), size=size)
                reply = await self._http.reply(form_request(self._url, {"purpose": new.purpose}, [file]), member="id")
        except OSError as error:
            raise Unavailable(f"`{self._folder}` cannot be written: {error.strerror}") from error
        return str(reply.value()["id"])

    async def read(self, file_id: str, begin: int, end: int) -> AsyncGenerator[bytes, None]:
        """Raises UpstreamError. The vendor does not say whether it knows ranges: what comes too much is left out."""
        headers = {"range": f"bytes={begin}-{end - 1}"} if begin else {}
        exchange = await self._http.send(Outgoing(method="GET", url=f"{self._of(file_id)}/content", headers=headers))
        at = begin if exchange.status == 206 else 0
        try:
            async for data in exchange.chunks():
                wanted = data[max(0, begin - at) : max(0, end - at)]
                at += len(data)
                if wanted:
                    yield wanted
                if at >= end:
                    break
        finally:
            await exchange.close()

    async def remove(self, file_id: str) -> None:
        """Raises UpstreamError."""
        if file_id.startswith(self.new_file):
            return
        try:
            await self._http.reply(Outgoing(method="DELETE", url=self._of(file_id)))
        except UpstreamRejected as error:
            if error.upstream_status != 404:
                raise

    def _of(self, file_id: str) -> str:
        return f"{self._url}/{quote(file_id, safe='')}"


async def _read(file: IO[bytes]) -> AsyncGenerator[bytes, None]:
    while data := await asyncio.to_thread(file.read, _BATCH_BYTES):
        yield data
