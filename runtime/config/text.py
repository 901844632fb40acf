"""Reads a text file that a user names: a regular file, a pipe or standard input.

Knows bytes and how text is encoded; not what any file means. Imports only the standard library, `descriptors` and
`runtime.errors`, since the command line uses it before it loads anything heavier.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import re
import stat
import sys
from pathlib import Path

from runtime.config.descriptors import own_descriptor
from runtime.errors import AccessDenied, ConfigInvalid, NotFound, Problem

STDIN = "-"
_LARGEST_BYTES = 16 * 2**20
_MARKS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def as_meant(name: str) -> str:
    """A name as a user types it, with `~` or `~user` expanded; it stays if there is no such user or no home folder.
    `./-` means a file and is kept, while a `Path` would make it `-`.
    """
    return os.path.expanduser(name)  # noqa: PTH111  # `Path.expanduser` raises RuntimeError there


def is_stdin(name: str) -> bool:
    """Whether a name that a user gave means standard input."""
    return _descriptor(name) == 0


def is_stream(name: str) -> bool:
    """Whether a name refers to something that can be read only once, or only by this process: standard input, `<(...)`,
    a pipe, a device.
    """
    if _descriptor(name) is not None:
        return True
    try:
        mode = Path(name).stat().st_mode
    except (OSError, ValueError):  # it does not exist, or the name is not valid for a file
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def shown(name: str | Path) -> str:
    """The name for messages."""
    return "standard input" if is_stdin(str(name)) else str(name)


def read_text(path: str | Path, *, what: str = "configuration") -> str:
    """The text of a file, with `\\n` at the end of its lines. A stream can be read only once, so keep the result.

    what: the kind of file, for the message. Raises NotFound if there is none, AccessDenied if we may not read it,
    ConfigInvalid if it cannot be read for another reason, is not UTF-8, or is not text at all.
    """
    return decoded(read_bytes(path, what=what), path, what=what)


def read_bytes(path: str | Path, *, what: str = "configuration") -> bytes:
    """What is in a file, text or not. Raises NotFound, AccessDenied and ConfigInvalid as `read_text`."""
    try:
        content = _content(str(path))
    except FileNotFoundError as error:
        raise NotFound(f"there is no file `{path}`", code="config_not_found") from error
    except PermissionError as error:
        raise AccessDenied(f"you may not read `{shown(path)}`", hint="give yourself access") from error
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror}", what=what) from error
    if len(content) > _LARGEST_BYTES:
        raise _refused(path, f"is larger than {_LARGEST_BYTES // 2**20} MiB", what=what)
    return content


def decoded(content: bytes, path: str | Path, *, what: str = "configuration") -> str:
    """The text that a file's bytes are. path: the file, for the message. Raises ConfigInvalid as `read_text`."""
    foreign = next((name for mark, name in _MARKS if content.startswith(mark)), None) or _looks_like(content)
    if foreign:
        hint = f"save it as UTF-8: `iconv -f {foreign} -t UTF-8`"
        raise _refused(path, f"is {foreign}, not UTF-8", what=what, hint=hint)
    content = content.removeprefix(codecs.BOM_UTF8)
    if (place := content.find(b"\0")) >= 0:
        message = "contains a null character, so it is not text or was damaged"
        raise _refused(path, message, what=what, line=_line(content, place))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"is not UTF-8: byte 0x{content[error.start]:02x} is not valid there"
        hint = "save it as UTF-8; if it is Latin-1: `iconv -f LATIN1 -t UTF-8`"
        raise _refused(path, message, what=what, line=_line(content, error.start), hint=hint) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _descriptor(name: str) -> int | None:
    """The number of this process's own descriptor that a name refers to; None for any other name."""
    return 0 if name == STDIN else own_descriptor(Path(name))


def _content(name: str) -> bytes:
    number = _descriptor(name)
    if number == 0:
        if sys.stdin is None:
            raise OSError(errno.EBADF, "it is closed")
        if isinstance(sys.stdin, io.TextIOWrapper):
            return bytes(sys.stdin.buffer.read(_LARGEST_BYTES + 1))
        return sys.stdin.read().encode()
    # By number: opening a descriptor's path opens the file again, which fails if the shell has already removed it.
    with open(name if number is None else number, "rb", closefd=number is None) as file:
        return file.read(_LARGEST_BYTES + 1)


def _looks_like(content: bytes) -> str | None:
    """Recognizes UTF-16 without a mark: in usual text every second byte is then null, and no other."""
    start = content[:200]
    for order, nulls, others in (("LE", start[1::2], start[::2]), ("BE", start[::2], start[1::2])):
        if nulls and nulls.count(0) > 0.8 * len(nulls) and 0 not in others:
            return f"UTF-16{order}"
    return None


def _line(content: bytes, place: int) -> int:
    return len(re.findall(rb"\r\n|\r|\n", content[:place])) + 1


def _refused(
    path: str | Path, message: str, *, what: str, line: int | None = None, hint: str | None = None
) -> ConfigInvalid:
    return ConfigInvalid([Problem(message=message, file=shown(path), line=line, hint=hint)], what=what)
