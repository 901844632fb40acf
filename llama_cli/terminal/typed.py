"""A command line of ours as it works where a person reads it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

_CALLS_US = re.compile(r"((?:^|&& |\| |\$\()(?:\w+=\S* )*)llama(?= |$)")
"""Where a shell takes `llama` for a command: at the start, behind variables, after another command, in `$(...)`."""


def typed(command: str) -> str:
    """A command line of ours, as it works where it is read: where `llama` is not on PATH, with the way to it."""
    return _CALLS_US.sub(lambda found: f"{found[1]}{_program()}", command)


def as_typed(text: str) -> str:
    """The same for every command line of ours that stands between backticks in a text. `llama` alone is a name there:
    ours, or what somebody has typed.
    """
    return re.sub(r"`([^`]* [^`]*)`|`[^`]*`", lambda found: f"`{typed(found[1])}`" if found[1] else found[0], text)


@cache
def _program() -> str:
    """What to type to run this very `llama`."""
    ours = Path(sys.argv[0])
    if ours.name != "llama" or not ours.exists():  # a test, or `python -m`
        return "llama"
    on_path = shutil.which("llama")
    if on_path is not None and os.path.realpath(on_path) == os.path.realpath(ours):
        return "llama"
    absolute = ours.absolute()
    with suppress(ValueError, OSError):  # on another drive, or in a folder that is gone
        relative = os.path.relpath(absolute)
        if len(relative) < len(str(absolute)):
            return shlex.quote(relative if os.sep in relative else f".{os.sep}{relative}")
    return shlex.quote(str(absolute))
