"""What comes through standard input where that is no terminal: all of it, or line by line, as text that can be sent."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator
from contextlib import suppress

from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal import console
from runtime.config.text import is_stdin
from runtime.stdio import well_formed

_PATIENCE_S = 2.0
_MOST_CHARACTERS = 16 * 2**20
"""As many as a file may have bytes."""
_BYTE_ORDER_MARK = "\ufeff"


def is_claimed(*names: str | None) -> bool:
    """Whether one of these files is standard input. Raises Failure (USAGE) where several are."""
    count = sum(1 for name in names if name is not None and is_stdin(name))
    if count > 1:
        raise Failure("standard input is to be several things", hint="use `-` once", code=ExitCode.USAGE)
    return count == 1


def text(*, strip: bool = True) -> str:
    """All of it; nothing from a terminal. Says so where it is open and nothing comes. strip: without blanks at its
    ends; otherwise only the last line feed goes. Raises Failure (USAGE) for more than any model reads, which may have
    no end.
    """
    if sys.stdin.isatty():
        return ""
    _mention_the_wait()
    found = sys.stdin.read(_MOST_CHARACTERS + 1)
    if len(found) > _MOST_CHARACTERS:
        message = f"standard input is larger than {_MOST_CHARACTERS // 2**20} MiB"
        raise Failure(message, hint="pipe in a part of it: `head -c 1M`", code=ExitCode.USAGE)
    found = found.removeprefix(_BYTE_ORDER_MARK)
    return found.strip() if strip else found.removesuffix("\n")


def lines() -> Iterator[str]:
    """Each as it comes, without its end; blank ones too. Says so, once, where one is no text."""
    _mention_the_wait()
    is_first, is_text = True, True
    while line := sys.stdin.readline():
        found = line.rstrip("\r\n").removeprefix(_BYTE_ORDER_MARK if is_first else "")
        yield as_text(found) if is_text else well_formed(found)
        is_first, is_text = False, is_text and _is_text(found)


def as_text(given: str) -> str:
    """What can be sent of it. Says so where that is not all of it, or where it is no text."""
    if not _is_text(given):
        console.warn("what was given is not UTF-8, so the model cannot read all of it; `iconv -t UTF-8` makes it so")
    return well_formed(given)


def _is_text(given: str) -> bool:
    return "\0" not in given and well_formed(given) == given


def _mention_the_wait() -> None:
    with suppress(OSError, ValueError):  # a stream that the system does not know
        if not select.select([sys.stdin], [], [], _PATIENCE_S)[0]:
            console.say("waiting for the end of standard input; `< /dev/null` says that nothing comes")
