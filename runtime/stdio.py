"""The standard streams of our processes: makes text safe for a terminal, and opens missing streams.

We print text from models, logs, servers, files and configurations. An escape sequence in it could move the cursor, set
a title or forge a line; a character that changes the writing direction can make a word look like another one. Such
characters are shown as Python escapes. Standard library only, since `--help` imports it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import suppress
from typing import Any

_BEYOND_ASCII = r"\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
"""C1 controls, line and paragraph separators, writing direction controls (https://www.unicode.org/reports/tr9/)."""

_SURROGATES = r"\ud800-\udfff"
"""Single surrogates: Python decodes invalid bytes as these, and cannot write them as UTF-8."""

_IN_A_LINE = re.compile(rf"[\x00-\x1f{_BEYOND_ASCII}{_SURROGATES}]")
_IN_A_TEXT = re.compile(rf"[\x00-\x08\x0b-\x1f{_BEYOND_ASCII}{_SURROGATES}]")
_IN_JSON = re.compile(rf"[{_BEYOND_ASCII}{_SURROGATES}]")
_SURROGATE = re.compile(f"[{_SURROGATES}]")


def one_line(text: str) -> str:
    """`text` with every character escaped that controls a terminal or starts a new line or column."""
    return _IN_A_LINE.sub(_escaped, text)


def printable(text: str) -> str:
    """The same for text of several lines: line feeds and tabs stay."""
    return _IN_A_TEXT.sub(_escaped, text)


def well_formed(text: str) -> str:
    """`text` with U+FFFD for characters that UTF-8 cannot encode."""
    return _SURROGATE.sub("\ufffd", text)


def json_text(value: object, **options: Any) -> str:
    """`value` as JSON that is safe to print: `json` itself escapes only ASCII controls. options: of `json.dumps`."""
    return _IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False, **options))


def print_error(text: str) -> None:
    """Write lines to standard error; does nothing if it is closed or full."""
    with suppress(OSError, AttributeError):  # full or closed; None if it was never open
        sys.stderr.write(printable(text) + "\n")
        sys.stderr.flush()


def open_missing() -> None:
    """Open the standard streams that this process was started without (`>&-`). Call it before anything else.

    Otherwise the next file that is opened, a log or a lock, would get the free number and receive what is printed.
    Reading then finds the end, and writing to standard error is ignored; writing to standard output fails, since data
    would be lost.
    """
    for number, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, flags), True)  # the lowest free number, which is this one
    # Python sets those that were closed when it started to None.
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    return "\ufffd" if "\ud800" <= character <= "\udfff" else character.encode("unicode_escape").decode()
