"""Texts that a command takes, each for itself: its arguments, or the lines of a file or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from llama_cli.conversation import piped
from llama_cli.exits import ExitCode, Failure
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
        try:
            found = read_text(as_meant(file), what="file").splitlines()
        except ConfigInvalid as error:
            raise Failure(str(error.problems[0]), code=ExitCode.USAGE) from error
    wanted = [line for line in found if line.strip()]
    if left := len(found) - len(wanted):
        console.warn(f"{words.counted(left, 'blank line')} left out")
    return wanted
