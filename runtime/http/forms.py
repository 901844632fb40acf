"""Forms with files for vendors' file endpoints: multipart/form-data, streamed. RFC 7578; names are escaped as in
WHATWG's HTML standard, 4.10.21.8.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field

from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing, close_parts

_ESCAPED = str.maketrans({"\n": "%0A", "\r": "%0D", '"': "%22"})


@dataclass(frozen=True, kw_only=True, slots=True)
class FormFile:
    """A file of a form. name: of its field. content: whole, or in parts. size: the bytes of a content in parts, if
    known; if all are known, the request has a `content-length`, which some servers require.
    """

    name: str
    filename: str
    content: bytes | AsyncIterable[bytes] = field(repr=False)
    size: int | None = None
    content_type: str = "application/octet-stream"


def form_request(
    url: str,
    fields: Mapping[str, str] | Iterable[tuple[str, str]],
    files: Iterable[FormFile],
    *,
    headers: Mapping[str, str] | None = None,
    timeouts: Timeouts | None = None,
) -> Outgoing:
    """A POST of a form. fields: pairs if a name repeats. If all files are whole, the body is too, so that it can be
    signed and sent again; otherwise it is in parts.
    """
    boundary = secrets.token_hex(16)
    pairs = fields.items() if isinstance(fields, Mapping) else fields
    form = _Form(list(pairs), list(files), boundary)
    typed = {"content-type": f"multipart/form-data; boundary={boundary}", **(headers or {})}
    body, size = form.whole(), form.size
    if body is not None:
        return Outgoing(method="POST", url=url, headers=typed, body=body, timeouts=timeouts)
    return Outgoing(method="POST", url=url, headers=typed, body=form, size=size, timeouts=timeouts)


class _Form:
    def __init__(self, fields: list[tuple[str, str]], files: list[FormFile], boundary: str) -> None:
        written = [_head(boundary, f'name="{_escaped(name)}"') + value.encode() for name, value in fields]
        self._fields = b"".join(field + b"\r\n" for field in written)
        self._files = [(_file_head(boundary, file), file) for file in files]
        self._end = f"--{boundary}--\r\n".encode()

    @property
    def size(self) -> int | None:
        """In bytes; None if the size of a file is not known."""
        total = len(self._fields) + len(self._end)
        for head, file in self._files:
            size = len(file.content) if isinstance(file.content, bytes) else file.size
            if size is None:
                return None
            total += len(head) + size + len(b"\r\n")
        return total

    def whole(self) -> bytes | None:
        """The whole body; None if a file is in parts."""
        contents = []
        for head, file in self._files:
            if not isinstance(file.content, bytes):
                return None
            contents.append(head + file.content + b"\r\n")
        return b"".join([self._fields, *contents, self._end])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._fields
        for head, file in self._files:
            yield head
            if isinstance(file.content, bytes):
                yield file.content
            else:
                async for part in file.content:
                    yield part
            yield b"\r\n"
        yield self._end

    async def aclose(self) -> None:
        for _, file in self._files:
            await close_parts(file.content)


def _head(boundary: str, disposition: str) -> bytes:
    return f"--{boundary}\r\ncontent-disposition: form-data; {disposition}\r\n\r\n".encode()


def _file_head(boundary: str, file: FormFile) -> bytes:
    names = f'name="{_escaped(file.name)}"; filename="{_escaped(file.filename)}"'
    kind = "".join(file.content_type.splitlines())
    return _head(boundary, f"{names}\r\ncontent-type: {kind}")


def _escaped(name: str) -> str:
    return name.translate(_ESCAPED)
