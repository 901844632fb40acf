"""Reads what a DISTRO|NAME|FILE argument pipes in, once, before anything else could.

A build runs in another process, which has neither our standard input nor our `<(...)`.
"""

from __future__ import annotations

from llama_cli.console import ExitCode, Failure
from runtime.config.text import as_meant, is_stdin, is_stream, read_text


def read_stream(target: str, *, env_file: str | None = None) -> str | None:
    """The text behind `target`, None where it is no stream. env_file: what `--env-file` names, which may want standard
    input for itself.
    """
    path = as_meant(target)
    if not is_stream(path):
        return None
    if env_file is not None and is_stdin(path) and is_stdin(env_file):
        raise Failure(
            "standard input can be read once, as the run config or as the `--env-file`",
            hint="give one of the two as a file",
            code=ExitCode.USAGE,
        )
    return read_text(path, what="run config")
