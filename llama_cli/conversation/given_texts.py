"""Texts that a command takes: each for itself, its arguments or the lines of a file or a pipe; or one, as `@FILE`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence

from llama_cli.conversation import piped
from llama_cli.exits import Failure
from llama_cli.terminal import console, words
from runtime.config.text import as_meant, is_stdin, read_text
from runtime.errors import ConfigInvalid


def texts(given: Sequence[str], file: str | None) -> list[str]:
    """All of them but blank lines, of which it says how many there are.

    Raises Failure (USAGE), NotFound, AccessDenied.
    """
    if given and file is not None:
        raise Failure.of_option("--file", "texts are given already")
    if given:
        return [piped.as_text(text) for text in given]
    if file is None or is_stdin(file):
        found = list(piped.lines()) if not sys.stdin.isatty() or file else []
    else:
        found = _read(file).splitlines()
    wanted = [line for line in found if line.strip()]
    if left := len(found) - len(wanted):
        console.warn(f"{words.counted(left, 'blank line')} left out")
    return wanted


def whole(given: str | None, file: str | None) -> Iterator[str]:
    """The one text that is given, or that a file or a pipe holds; none where that is empty. Raises Failure (USAGE),
    NotFound, AccessDenied.
    """
    if given is not None and file is not None:
        raise Failure.of_option("--file", "a text is given already")
    if given is not None:
        text = piped.as_text(given)
    elif file is None or is_stdin(file):
        text = piped.as_text(piped.text(strip=False)) if not sys.stdin.isatty() or file else ""
    else:
        text = _read(file).removesuffix("\n")
    yield from [text] if text else []


def lines(given: str | None, file: str | None) -> Iterator[str]:
    """Each line of a file, or of a pipe as it comes, but blank ones. Raises Failure (USAGE), NotFound, AccessDenied."""
    if given is not None:
        raise Failure.of_option("--lines", "a text is given already, and is one", hint="pipe the lines in")
    if file is not None and not is_stdin(file):
        found: Iterable[str] = _read(file).splitlines()
    else:
        found = piped.lines() if not sys.stdin.isatty() or file else []
    return (line for line in found if line.strip())


def _read(file: str) -> str:
    try:
        return read_text(as_meant(file), what="file")
    except ConfigInvalid as error:
        raise Failure.of_unreadable(error) from error


def or_of_file(given: str, option: str) -> str:
    """A text as it is given, or of the file of `@FILE`. Raises Failure (USAGE), NotFound, AccessDenied."""
    name = file_of(given)
    if name is None:
        return given
    try:
        return read_text(as_meant(name), what="text").strip()
    except ConfigInvalid as error:
        raise Failure.of_unreadable(error, option=option) from error


def file_of(given: str | None) -> str | None:
    """The file of `@FILE`; None for a text."""
    return given[1:] if given is not None and given.startswith("@") else None
