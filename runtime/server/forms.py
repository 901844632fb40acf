"""Reads forms with files; what their fields mean is known to `fields.py`.

A file is read from the connection while its provider reads it. It is stored on disk first only if fields that the
request needs come after it, as OpenAI's client for Node.js sends them, and only as long as the provider would take it;
others that come after it are added to the request when the file was read. Wire format: RFC 7578.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from typing import IO, Any, Protocol, TypeAlias

from multipart import MultipartSegment, parse_options_header

from runtime.apis._api import Operation
from runtime.apis._carriers import Upload
from runtime.errors import RequestError, UnsupportedMedia
from runtime.invalid.vocabulary import quoted
from runtime.parsing.amounts import USUAL, check_amount
from runtime.parsing.requests import json_object
from runtime.server.fields import MAX_TEXT_BYTES, URLENCODED, nested, takes_several, too_much_text, urlencoded
from runtime.server.incoming import Incoming
from runtime.server.parts import Part, parts_of
from runtime.temporary import writing_temporary

_MAX_MEMORY_BYTES = 1024 * 1024
_READ_BYTES = 256 * 1024
_JSON = "application/json"


class Build(Protocol):
    """Builds the request from a form's fields; None if it needs fields that may still arrive. is_whole: none will."""

    def __call__(self, form: dict[str, Any], *, is_whole: bool) -> Any: ...


CheckUpload: TypeAlias = Callable[[int], None]
"""Raises TooLarge for a file of so many bytes, which the operation's providers do not take."""


async def read_form(operation: Operation, incoming: Incoming, build: Build, check_upload: CheckUpload) -> Any:
    """The request of a form, with its files as `Upload`; one that needs no file may be JSON. check_upload: asked about
    files that are stored first.

    Raises RequestError for an invalid form, UnsupportedMedia for another content type, TooLarge, and what `build`
    raises.
    """
    kind, options = parse_options_header(incoming.headers.get(b"content-type", b"").decode("latin-1"))
    if kind == URLENCODED:
        room = _Room()
        data = b"".join([room.take(data) async for data in incoming.chunks()])
        return build(urlencoded(data, operation.request), is_whole=True)
    if kind == _JSON and not any(
        operation.request.model_fields[name].is_required() for name in operation.upload_fields
    ):
        room = _Room()
        data = b"".join([room.take(data) async for data in incoming.chunks()])
        check_amount(data, USUAL)
        return build(json_object(data, kind.encode()), is_whole=True)
    if kind != "multipart/form-data" or not options.get("boundary"):
        given_type = f"the content type is `{quoted(kind)}`" if kind else "there is no content type"
        raise UnsupportedMedia(f"This needs a form, but {given_type}", hint="send multipart/form-data")
    parts = parts_of(incoming, options["boundary"])
    room = _Room()
    given: list[tuple[str, Any]] = []
    may_be_last = len(operation.upload_fields) == 1 and not takes_several(operation.request, operation.upload_fields[0])
    async for part in parts:
        assert isinstance(part, MultipartSegment), "the contents of a part are read with it"
        if part.name.partition("[")[0] not in operation.upload_fields:
            given.append((part.name, await _text(part, parts, room)))
            continue
        if part.filename is None and part.content_type is None:
            raise RequestError(
                f"`{part.name}` in the form is a text, not a file",
                hint=f"with curl, `-F {part.name}=@PATH` sends a file, and `-F {part.name}=PATH` the text `PATH`",
                param=part.name,
                code="invalid_form",
            )
        if may_be_last:
            late = _Late(operation, build, given)
            upload = Upload(
                _pulled(part, parts, late, room),
                filename=part.filename or "",
                content_type=part.content_type or "",
                least_bytes=_at_least(incoming),
            )
            if (request := late.begin(part.name, upload)) is not None:
                return request
            check_upload(upload.least_bytes)
            may_be_last = False  # a second file of that name is not allowed
        given.append((part.name, await _kept(part, parts, incoming, check_upload)))
    return build(nested(given, operation.request, "form"), is_whole=True)


class _Room:
    """The memory that the fields of one form may still take."""

    def __init__(self) -> None:
        self._left_bytes = MAX_TEXT_BYTES

    def take(self, data: bytes | bytearray) -> bytes | bytearray:
        """The same bytes. Raises TooLarge if there is no room for them."""
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise too_much_text()
        return data


async def _text(part: MultipartSegment, parts: AsyncIterator[Part], room: _Room) -> str:
    text = bytearray()
    while isinstance(data := await anext(parts), bytes | bytearray):
        text += room.take(data)
    return text.decode(errors="replace")


class _Late:
    """Fields that follow the file of a request which its method already has. given: those before the file."""

    def __init__(self, operation: Operation, build: Build, given: list[tuple[str, Any]]) -> None:
        self._operation = operation
        self._build = build
        self._pairs = list(given)
        self._request: Any = None

    def begin(self, name: str, upload: Upload) -> Any:
        """The request without them; None if it needs some of them."""
        self._pairs.append((name, upload))
        self._request = self._build(nested(self._pairs, self._operation.request, "form"), is_whole=False)
        return self._request

    def add(self, name: str, text: str) -> None:
        self._pairs.append((name, text))

    def end(self) -> None:
        """Give the request its last values. Raises RequestError if they are invalid."""
        fields = nested(self._pairs, self._operation.request, "form")
        self._request.completed_by(self._build(fields, is_whole=True))


async def _pulled(part: MultipartSegment, parts: AsyncIterator[Part], late: _Late, room: _Room) -> AsyncIterator[bytes]:
    """A file as it arrives. Raises RequestError for another file after it, and for invalid fields."""
    while isinstance(data := await anext(parts), bytes | bytearray):
        yield bytes(data)
    has_more = False
    async for following in parts:
        if not isinstance(following, MultipartSegment):
            continue
        if following.filename is not None:
            raise RequestError(
                f"`{quoted(following.name)}` in the form is a second file, after `{part.name}`",
                param=following.name,
                code="invalid_form",
            )
        late.add(following.name, await _text(following, parts, room))
        has_more = True
    if has_more:
        late.end()


def _at_least(incoming: Incoming) -> int:
    """How many bytes a file has at least that has just begun: all that are announced, without those that are there and
    the fields that may follow.
    """
    return max(0, (incoming.announced_bytes or 0) - incoming.read_bytes - MAX_TEXT_BYTES)


async def _kept(
    part: MultipartSegment, parts: AsyncIterator[Part], incoming: Incoming, check_upload: CheckUpload
) -> Upload:
    """A file that is stored on disk until the end of the request. Raises Unavailable if the disk is full, TooLarge as
    soon as it has more bytes than the operation's providers take.
    """
    spool = incoming.keep(tempfile.SpooledTemporaryFile(_MAX_MEMORY_BYTES))  # noqa: SIM115  # closed with the request
    size = 0
    while isinstance(data := await anext(parts), bytes | bytearray):
        size += len(data)
        check_upload(size)
        with writing_temporary():
            await asyncio.to_thread(spool.write, bytes(data))
    spool.seek(0)
    kind = part.content_type or ""
    return Upload(_read(spool), filename=part.filename or "", content_type=kind, size_bytes=size)


async def _read(file: IO[bytes]) -> AsyncIterator[bytes]:
    while data := await asyncio.to_thread(file.read, _READ_BYTES):
        yield data
