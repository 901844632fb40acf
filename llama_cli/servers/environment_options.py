"""Turns `--env` and `--env-file` into the environment of a server. Nothing of it is written to disk.

Knows where the texts come from and what to warn of; how they are parsed is in `process.py`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from llama_cli import console
from llama_cli.servers.process import child_environment
from runtime.config.redaction import is_secret
from runtime.config.text import as_meant, read_text, shown


def read_environment(pairs: Sequence[str], env_file: str | None) -> tuple[dict[str, str], tuple[str, ...]]:
    """The server's whole environment, and the names of what the options added to ours.

    env_file: a path, or `-` for standard input. Raises NotFound where it is not there, ConfigInvalid where it cannot be
    read, or it or a pair is malformed.
    """
    file = None
    if env_file is not None:
        path = as_meant(env_file)
        file = (shown(path), read_text(path, what="environment"))
    for pair in pairs:
        name, equals, _ = pair.partition("=")
        if equals and is_secret(name):
            console.warn(
                f"the value of `{name}` can be seen by others in the list of processes; `--env {name}` hides it"
            )
    environment = child_environment(os.environ, pairs=pairs, file=file)
    return environment, tuple(sorted(name for name, value in environment.items() if os.environ.get(name) != value))
