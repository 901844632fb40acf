"""Fields that come as text: of queries and of forms, and the files beside them.

Names may be repeated, or bracketed as clients write lists and objects: `tag=a&tag=b`, `tag[]=a`, `filter[key]=a`. A
form's file is pulled while its reader reads it. Only where fields that the request needs come after it does it wait on
disk. Wire formats: WHATWG URL, 5.2; RFC 7578.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import typing
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from functools import lru_cache
from typing import IO, Any, Protocol, TypeAlias
from urllib.parse import parse_qsl

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header
from pydantic import BaseModel
from pydantic_core import from_json

from runtime.apis._api import Operation
from runtime.apis._carriers import Upload
from runtime.errors import RequestError, TooLarge, UnsupportedMedia
from runtime.server.errors import quoted
from runtime.server.incoming import Incoming

NOT_UTF8 = "\ufffd"
"""What decoding puts in the place of bytes that are no UTF-8."""
_BRACKETED = re.compile(r"[^\[\]]+(\[[^\[\]]*\])+")
_DEEPEST = 8
_INDEX_LENGTH = 9
_TEXT_BYTES = 1024 * 1024
_IN_MEMORY_BYTES = 1024 * 1024
_READ_BYTES = 256 * 1024
_MOST_FIELDS = 1000


class Build(Protocol):
    """Makes the request of a form's fields; None where it needs more than has arrived. is_whole: nothing follows."""

    def __call__(self, form: dict[str, Any], *, is_whole: bool) -> Any: ...


def nested(given: Iterable[tuple[str, Any]], model: type[BaseModel], place: str) -> dict[str, Any]:
    """The fields of names and values. A field that is a list has one also for one value. place: for messages.

    Raises RequestError for what is no UTF-8, for names that contradict each other and for too deep ones.
    """
    found: dict[str, Any] = {}
    for key, value in given:
        name, *steps = key.replace("]", "").split("[") if _BRACKETED.fullmatch(key) else [key]
        if NOT_UTF8 in key or (isinstance(value, str) and NOT_UTF8 in value):
            raise RequestError(f"`{name}` in the {place} is not UTF-8", param=name, code="invalid_value")
        if len(steps) > _DEEPEST or "" in steps[:-1] or not _put(found, [name, *steps], value):
            raise RequestError(f"`{quoted(key)}` in the {place} cannot be understood", param=name, code="invalid_value")
    return {name: _as_wanted(_with_lists(value), model, name) for name, value in found.items()}


def _put(holder: dict[str, Any], steps: list[str], value: Any) -> bool:
    """Whether there is room for a value where its name leads."""
    name, *rest = steps
    if not rest or rest == [""]:
        present = holder.get(name)
        if isinstance(present, dict):
            return False
        if name not in holder:
            holder[name] = [value] if rest else value
        elif isinstance(present, list):
            present.append(value)
        else:
            holder[name] = [present, value]
        return True
    inner = holder.setdefault(name, {})
    return isinstance(inner, dict) and _put(inner, rest, value)


def _with_lists(value: Any) -> Any:
    """Objects whose names are all numbers are lists, in that order."""
    if not isinstance(value, dict):
        return value
    if all(name.isdecimal() and len(name) <= _INDEX_LENGTH for name in value):
        return [_with_lists(value[name]) for name in sorted(value, key=int)]
    return {name: _with_lists(inner) for name, inner in value.items()}


def _as_wanted(value: Any, model: type[BaseModel], field: str) -> Any:
    """One value of a list is a list of one; an object may be written as JSON."""
    wants_list, wants_json = _shape(model, field)
    if wants_json and isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return from_json(value, allow_inf_nan=False)
        except ValueError:
            return value  # which the model then refuses
    return [value] if wants_list and not isinstance(value, list) else value


@lru_cache(512)
def _shape(model: type[BaseModel], field: str) -> tuple[bool, bool]:
    """Whether a field is a list, and whether it is a list or an object and no text."""
    known = model.model_fields.get(field)
    if known is None:
        return False, False
    kinds = [kind for kind in (known.annotation, *typing.get_args(known.annotation)) if kind is not None]
    origins = [typing.get_origin(kind) or kind for kind in kinds]
    is_object = dict in origins or any(isinstance(kind, type) and issubclass(kind, BaseModel) for kind in kinds)
    return list in origins, (list in origins or is_object) and str not in kinds


async def read_form(operation: Operation, incoming: Incoming, build: Build) -> Any:
    """The request of a form, with its files as `Upload`.

    Raises RequestError for a broken form, UnsupportedMedia for what is none, TooLarge, and what `build` raises.
    """
    kind, options = parse_options_header(incoming.headers.get(b"content-type", b"").decode("latin-1"))
    if kind == "application/x-www-form-urlencoded":
        text = (await incoming.body()).decode(errors="replace")
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError as error:
            raise RequestError(f"The form has more than {_MOST_FIELDS} fields", code="invalid_form") from error
        return build(nested(pairs, operation.request, "form"), is_whole=True)
    if kind != "multipart/form-data" or not options.get("boundary"):
        shown = quoted(kind) if kind else "nothing that says so"
        raise UnsupportedMedia(f"A form is read here, and `{shown}` came", hint="send multipart/form-data")
    parts = _parts(incoming, options["boundary"])
    given: list[tuple[str, Any]] = []
    may_be_last = len(operation.upload_fields) == 1 and not _shape(operation.request, operation.upload_fields[0])[0]
    async for part in parts:
        assert isinstance(part, MultipartSegment), "what is in a part has been read"
        if part.name.partition("[")[0] not in operation.upload_fields:
            given.append((part.name, await _text(part, parts)))
            continue
        if may_be_last:
            upload = Upload(_pulled(part, parts), filename=part.filename or "", content_type=part.content_type or "")
            fields = nested([*given, (part.name, upload)], operation.request, "form")
            if (request := build(fields, is_whole=False)) is not None:
                return request
            may_be_last = False  # a second file of that name is one too many
        given.append((part.name, await _kept(part, parts, incoming)))
    return build(nested(given, operation.request, "form"), is_whole=True)


_Part: TypeAlias = "MultipartSegment | bytes | bytearray | None"
"""The head of a part, some of what is in it, or its end."""


async def _parts(incoming: Incoming, boundary: str) -> AsyncGenerator[_Part, None]:
    parser = PushMultipartParser(boundary, max_segment_count=_MOST_FIELDS)
    try:
        async for data in incoming.chunks():
            if not parser.closed:  # what follows the last boundary says nothing
                for part in parser.parse(data):
                    yield part
        if not parser.closed:
            parser.close()
    except MultipartError as error:
        raise RequestError(f"The form cannot be read: {error}", code="invalid_form") from error


async def _text(part: MultipartSegment, parts: AsyncIterator[_Part]) -> str:
    text = bytearray()
    while isinstance(data := await anext(parts), bytes | bytearray):
        text += data
        if len(text) > _TEXT_BYTES:
            raise TooLarge(f"`{quoted(part.name)}` in the form has more than {_TEXT_BYTES} bytes")
    return text.decode(errors="replace")


async def _pulled(part: MultipartSegment, parts: AsyncIterator[_Part]) -> AsyncIterator[bytes]:
    """A file as it arrives. What the request has not had a look at must not follow it."""
    while isinstance(data := await anext(parts), bytes | bytearray):
        yield bytes(data)
    async for late in parts:
        if isinstance(late, MultipartSegment):
            raise RequestError(
                f"`{quoted(late.name)}` in the form came after `{part.name}`",
                hint=f"send `{part.name}` last",
                param=late.name,
                code="invalid_form",
            )


async def _kept(part: MultipartSegment, parts: AsyncIterator[_Part], incoming: Incoming) -> Upload:
    """A file that waits on disk, for as long as the request lasts."""
    spool = incoming.keep(tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES))  # noqa: SIM115  # closed with the request
    size = 0
    while isinstance(data := await anext(parts), bytes | bytearray):
        size += len(data)
        await asyncio.to_thread(spool.write, bytes(data))
    spool.seek(0)
    kind = part.content_type or ""
    return Upload(_read(spool), filename=part.filename or "", content_type=kind, size_bytes=size)


async def _read(file: IO[bytes]) -> AsyncIterator[bytes]:
    while data := await asyncio.to_thread(file.read, _READ_BYTES):
        yield data
