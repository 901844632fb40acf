"""The standard streams of a process of ours: text that cannot steer a terminal, on descriptors that are there.

What we print comes from models, logs, servers, files and configurations. An escape sequence in it could move the
cursor, set a title or forge a line; an override of the direction of writing shows another word than the one that is
there. Such characters are shown as they are written in Python. Standard library only, since `--help` imports it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import suppress
from typing import Any

_BEYOND_ASCII = r"\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
"""C1 controls, separators of lines and paragraphs, controls of direction (https://www.unicode.org/reports/tr9/)."""

_LONE = r"\ud800-\udfff"
"""Half a surrogate pair: what Python makes of bytes that are no text, and what cannot be written as UTF-8."""

_IN_A_LINE = re.compile(rf"[\x00-\x1f{_BEYOND_ASCII}{_LONE}]")
_IN_A_TEXT = re.compile(rf"[\x00-\x08\x0b-\x1f{_BEYOND_ASCII}{_LONE}]")
_IN_JSON = re.compile(rf"[{_BEYOND_ASCII}{_LONE}]")
_ALONE = re.compile(f"[{_LONE}]")


def one_line(text: str) -> str:
    """`text` without anything that steers a terminal or begins a new line or column."""
    return _IN_A_LINE.sub(_escaped, text)


def printable(text: str) -> str:
    """The same for a text of several lines: line feeds and tabs stay."""
    return _IN_A_TEXT.sub(_escaped, text)


def well_formed(text: str) -> str:
    """`text` as it is, but for what no UTF-8 can hold."""
    return _ALONE.sub("\ufffd", text)


def json_text(value: object, **options: Any) -> str:
    """JSON that is read as text everywhere: of what steers a terminal, `json` itself escapes only what ASCII has."""
    return _IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False, **options))


def tell(text: str) -> None:
    """Write lines to standard error, if anybody can read them there."""
    with suppress(OSError, AttributeError):  # full, or gone; None where there never was one
        sys.stderr.write(printable(text) + "\n")
        sys.stderr.flush()


def open_missing() -> None:
    """Call it first of all: gives a process that was started without some of its standard streams (`>&-`) ones that
    lead nowhere.

    Else the next file that is opened, a log or a lock, would get the free number and receive what is printed. Reading
    finds the end, what is told on standard error is lost; but writing to standard output fails: that was data.
    """
    for number, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, flags), True)  # the lowest number that is free: this one
    # Python has None for those that were closed when it came up.
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    return "\ufffd" if "\ud800" <= character <= "\udfff" else character.encode("unicode_escape").decode()
