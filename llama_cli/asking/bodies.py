"""What a request carries, from what is typed: data, fields, the parts of a form, headers.

Knows JSON, query strings and `multipart/form-data` (RFC 7578). Files are read as they are sent. Sends nothing.
"""

from __future__ import annotations

import io
import json
import mimetypes
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlencode

from llama_cli.exits import ExitCode, Failure
from runtime.config.home import expanded
from runtime.config.text import is_stdin, is_stream

_PIECE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Body:
    """pieces: what is sent, None for nothing; headers: what has to be said about it; size_bytes: of all pieces."""

    pieces: Iterable[bytes] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    size_bytes: int = 0


def of_data(given: str, *, is_json: bool) -> Body:
    """given: the text itself, `@FILE`, or `-` for standard input. is_json: no other type was named, so it has to be
    JSON. Raises Failure (USAGE) where it is not, and for a file that cannot be read.
    """
    if given == "-" or given.startswith("@"):
        data = _content(given.removeprefix("@"), option="--data")
    else:
        data = given.encode(errors="surrogateescape")
    if is_json:
        try:
            json.loads(data, parse_constant=_no_json)
        except (ValueError, RecursionError) as error:
            hint = "quote it for the shell as in `'{\"a\": 1}'`; `-H content-type:TYPE` sends something else"
            raise Failure.of_option("--data", f"it is no JSON: {error}", hint=hint) from None
    stated = {"content-type": "application/json"} if is_json else {}
    return Body(pieces=[data], headers={**stated, "content-length": str(len(data))}, size_bytes=len(data))


def of_fields(given: Sequence[str]) -> Body:
    """One JSON object. given: `NAME=VALUE`, whose value is JSON where it can be, else a text; `@FILE` the text of a
    file. Raises Failure (USAGE).
    """
    return of_data(json.dumps(fields(given), ensure_ascii=False), is_json=True)


def fields(given: Sequence[str]) -> dict[str, Any]:
    """The values by name. Raises Failure (USAGE) for what is no `NAME=VALUE`."""
    found: dict[str, Any] = {}
    for one in given:
        name, value = pair("--field", one)
        if value.startswith("@"):
            found[name] = _content(value[1:], option="--field").decode(errors="replace")
            continue
        try:
            found[name] = json.loads(value, parse_constant=_no_json)
        except (ValueError, RecursionError):
            found[name] = value
    return found


def _no_json(word: str) -> NoReturn:
    """`NaN` and `Infinity`, which Python reads and JSON does not have."""
    raise ValueError(f"`{word}` is no number of JSON")


def query(given: Sequence[str]) -> str:
    """The same as the query of an address, for methods without a body."""
    values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields(given).items()}
    return urlencode(values)


def of_form(given: Sequence[str]) -> Body:
    """given: `NAME=@FILE` or `NAME=TEXT`. A file's type is told by its name. Raises Failure (USAGE)."""
    parts = []
    for one in given:
        name, value = pair("--form", one)
        if not value.startswith("@"):
            parts.append(Part(name, value.encode(errors="surrogateescape")))
            continue
        path = expanded(value[1:])
        parts.append(Part(name, of_file(value[1:], option="--form"), filename=path.name))
    return of_parts(parts)


def of_file(name: str, *, option: str) -> bytes | Path:
    """A file that can be read; of a stream, which can be read once, what it holds. Raises Failure: USAGE, or ACCESS."""
    return _content(name, option=option) if is_stream(name) else _checked(expanded(name), option=option)


@dataclass(frozen=True)
class Part:
    """Of a form. filename: of a part that is a file."""

    name: str
    content: bytes | Path
    filename: str | None = None


def of_parts(given: Sequence[Part]) -> Body:
    """The same of parts, whose files can be read."""
    boundary = os.urandom(16).hex()
    parts: list[tuple[bytes, bytes | Path]] = []
    for part in given:
        said = f'--{boundary}\r\ncontent-disposition: form-data; name="{_quoted(part.name)}"'
        if part.filename is not None:
            kind = mimetypes.guess_type(part.filename)[0] or "application/octet-stream"
            said += f'; filename="{_quoted(part.filename)}"\r\ncontent-type: {kind}'
        parts.append((f"{said}\r\n\r\n".encode(errors="surrogateescape"), part.content))
    end = f"--{boundary}--\r\n".encode()
    size = len(end) + sum(len(head) + _size(content) + 2 for head, content in parts)
    headers = {"content-type": f"multipart/form-data; boundary={boundary}", "content-length": str(size)}
    return Body(pieces=_sent(parts, end), headers=headers, size_bytes=size)


def pair(option: str, given: str) -> tuple[str, str]:
    """Both sides of `NAME=VALUE`. Raises Failure (USAGE) for anything else."""
    name, equals, value = given.partition("=")
    if not (name and equals):
        raise Failure.of_option(option, f"`{given}` is not `NAME=VALUE`", hint=f"as in `{option} limit=2`")
    return name, value


def headers(given: Sequence[str]) -> dict[str, str]:
    """`NAME: VALUE` -> names in lower case. Raises Failure (USAGE)."""
    found = {}
    for one in given:
        name, colon, value = one.partition(":")
        if not (colon and name.strip() and one.isascii() and one.isprintable()):
            raise Failure.of_option("--header", f"`{name}` is not `NAME: VALUE`", hint="as in `-H 'x-trace: 1'`")
        found[name.strip().lower()] = value.strip()
    return found


def _content(name: str, *, option: str) -> bytes:
    """All of a file or of standard input."""
    if is_stdin(name):
        stdin = sys.stdin
        return stdin.buffer.read() if isinstance(stdin, io.TextIOWrapper) else stdin.read().encode()
    try:
        return expanded(name).read_bytes()
    except OSError as error:
        raise _unreadable(option, name, error) from error


def _checked(path: Path, *, option: str) -> Path:
    """A path whose file can be read now."""
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise _unreadable(option, str(path), error) from error


def _unreadable(option: str, name: str, error: OSError) -> Failure:
    code = ExitCode.ACCESS if isinstance(error, PermissionError) else ExitCode.USAGE
    return Failure(f"`{option}`: `{name}` cannot be read: {error.strerror}", code=code)


def _size(content: bytes | Path) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _sent(parts: Sequence[tuple[bytes, bytes | Path]], end: bytes) -> Iterator[bytes]:
    for head, content in parts:
        yield head
        if isinstance(content, bytes):
            yield content
        else:
            with content.open("rb") as file:
                while piece := file.read(_PIECE):
                    yield piece
        yield b"\r\n"
    yield end


def _quoted(name: str) -> str:
    """As browsers write names in a form (HTML, "multipart form data")."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
