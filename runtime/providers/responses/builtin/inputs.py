"""Images and files in a conversation, as a model can read them: images as data or addresses, documents as their text.

    input_image by file id       the image as data
    input_file, an image         the image as data
    input_file, a document       its text, as the file processors read it, behind its name

What is given by an address is fetched from public addresses only; an image's address is the model provider's to fetch.
What cannot change, or would take long to read again, is read once for each history (`readings.py`): all but images that
are stored here or given as data.
"""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.apis._carriers import Upload
from runtime.apis.file_processors.protocol import FileProcessors, ProcessFileRequest, ProcessFileResponse
from runtime.apis.files.file import FileRequest
from runtime.apis.files.protocol import Files
from runtime.apis.responses.items import ITEMS
from runtime.documents.images import image_type
from runtime.errors import NotFound, NotSupported, RequestError
from runtime.http.data_addresses import decoded, is_data_address, read_data_address
from runtime.http.pages import Pages
from runtime.providers.responses.builtin.budget import Budget
from runtime.providers.responses.builtin.readings import Readings
from runtime.sse import Json, encode
from runtime.telemetry.changes import note_change

MOST_BYTES = 32 * 1024 * 1024
"""Of one file or image."""
_FETCHED_WITHIN_S = 30.0
_SEEN = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""The images that models take. Others are documents, whose text may be read."""


@dataclass(frozen=True, kw_only=True)
class _File:
    name: str
    content: bytes


class Inputs:
    """files, processors: None where the stack has none."""

    def __init__(self, files: Files | None, processors: FileProcessors | None, pages: Pages) -> None:
        self._files = files
        self._processors = processors
        self._pages = pages

    async def readable(self, items: Sequence[Json], readings: Readings, budget: Budget) -> list[Json]:
        """The items with parts that a model can read. readings: those that are known, to which new ones are added.

        Raises RequestError that names the file which cannot be read, and why; TooLarge for the one with which it is
        more than is left of `budget`; NotSupported where nothing here reads files, Unavailable.
        """
        return [
            await self._opened(item, member, readings, budget) if (member := _closed_member(item)) else item
            for item in items
        ]

    async def _opened(self, item: Json, member: str, readings: Readings, budget: Budget) -> Json:
        parts = [await self._read(item, part, readings, budget) if _is_closed(part) else part for part in item[member]]
        return {**item, member: parts}

    async def _read(self, item: Json, part: Json, readings: Readings, budget: Budget) -> Json:
        known = readings.find(item, part)
        read = await self._part(part) if known is None else known
        budget.take(len(encode(read)), f"the file `{_called(part)}`", param="input")
        if known is None and (read["type"] != "input_image" or part.get("file_url")):
            readings.add(item, part, read)
        return read

    async def _part(self, part: Json) -> Json:
        try:
            file = await self._file(part)
            if (image := image_type(file.content[:12])) in _SEEN:
                note_change("images of files were read, and sent as data")
                return _image(file.content, image, part.get("detail"))
            if part["type"] == "input_image":
                raise RequestError("it is no PNG, JPEG, GIF or WebP")
            note_change("files were read, and sent as text")
            return {"type": "input_text", "text": f"{file.name}:\n\n{await self._text(file)}"}
        except NotSupported:
            raise
        except RequestError as error:  # a file that is not there is one of those too
            raise RequestError(
                f"The file `{_called(part)}` cannot be read as input: {error.message}", param="input", hint=error.hint
            ) from error

    async def _file(self, part: Json) -> _File:
        name = part.get("filename")
        if file_id := part.get("file_id"):
            return await self._stored(file_id)
        if data := part.get("file_data"):
            return _given(data, name)
        if url := part.get("file_url"):
            note_change("files were fetched from their addresses")
            page = await self._pages.read(url, limit_bytes=MOST_BYTES, timeout_s=_FETCHED_WITHIN_S)
            return _File(name=name or _named(url if page.url else "", page.content_type), content=page.content)
        raise RequestError("it has neither `file_id` nor `file_data` nor `file_url`")

    async def _stored(self, file_id: str) -> _File:
        if self._files is None:
            raise NotSupported("Files cannot be read: the API files has no provider", param="input")
        try:
            about = await self._files.get_file(FileRequest(file_id=file_id))
            if about.bytes > MOST_BYTES:
                raise RequestError(f"it has {about.bytes} bytes, and {MOST_BYTES} are read at most")
            stored = await self._files.read_file(FileRequest(file_id=file_id))
        except NotFound:
            raise RequestError("there is no such file") from None
        content = b"".join([piece async for piece in stored.read(0, stored.size_bytes)])
        return _File(name=about.filename, content=content)

    async def _text(self, file: _File) -> str:
        if self._processors is None:
            raise NotSupported("Documents cannot be read: the API file_processors has no provider", param="input")
        upload = Upload(_at_once(file.content), filename=file.name, size_bytes=len(file.content))
        return ProcessFileResponse.of(await self._processors.process_file(ProcessFileRequest(file=upload))).text()


def has_files(item: Json) -> bool:
    """Whether an item has parts that have to be read before a model can."""
    return _closed_member(item) is not None


def _closed_member(item: Json) -> str | None:
    """The member with parts that have to be read before a model can; None where there is nothing to read."""
    kind = ITEMS.get(item["type"])
    member = kind.parts if kind is not None else None
    parts = item[member] if member else None
    return member if isinstance(parts, list) and any(map(_is_closed, parts)) else None


def _is_closed(part: Any) -> bool:
    """Whether a part has to be read before a model can."""
    return part["type"] == "input_file" or (part["type"] == "input_image" and not part.get("image_url"))


def _called(part: Json) -> str:
    """What messages call a file."""
    names = ("filename", "file_id", "file_url")
    return str(next((part[name] for name in names if part.get(name)), "without a name"))[:200]


def _image(content: bytes, kind: str, detail: str | None) -> Json:
    url = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    return {"type": "input_image", "image_url": url, **({"detail": detail} if detail else {})}


def _given(data: str, name: str | None) -> _File:
    """A file as base64, alone or as a data address, or as one without base64."""
    if not is_data_address(data):
        return _File(name=name or "file", content=decoded(data, "its `file_data`", limit_bytes=MOST_BYTES))
    found = read_data_address(data, limit_bytes=MOST_BYTES)
    return _File(name=name or _named("", found.content_type), content=found.content)


def _named(url: str, content_type: str) -> str:
    """A name of which the kind of document can be told."""
    name = url.partition("?")[0].rstrip("/").rpartition("/")[2] or "file"
    return name if "." in name else name + (mimetypes.guess_extension(content_type) or "")


async def _at_once(content: bytes) -> AsyncIterator[bytes]:
    yield content
