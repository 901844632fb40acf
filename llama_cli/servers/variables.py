"""Turns `--env` and `--env-file` into a server's environment variables. Nothing of it is written to disk.

The file's lines are parsed by python-dotenv, as Docker Compose and shells read them where they agree. A message never
shows what stands in a line: it can be half a secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from llama_cli.terminal import console
from runtime.config.text import as_meant, read_text, shown
from runtime.errors import ConfigInvalid, Problem
from runtime.redaction import is_secret

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPENS_A_QUOTE = re.compile(rf"(export\s+)?{_NAME.pattern}\s*=\s*['\"]")


def read_variables(pairs: Sequence[str], env_file: str | None) -> tuple[dict[str, str], tuple[str, ...]]:
    """All variables of the server: ours, over them those of the file, over those `NAME=VALUE` pairs; and the names of
    those that the options added or changed.

    pairs: a bare `NAME` has to be set in our environment or the file. env_file: a path, or `-` for standard input.
    Raises NotFound where it does not exist, ConfigInvalid where it cannot be read, and with every line and pair that is
    wrong.
    """
    problems: list[Problem] = []
    variables = dict(os.environ)
    if env_file is not None:
        path = as_meant(env_file)
        variables |= parse_env_file(shown(path), read_text(path, what="environment"), os.environ, problems)
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if equals and is_secret(name):
            console.warn(
                f"the value of `{name}` can be seen by others in the list of processes; `--env {name}` hides it"
            )
        if not _NAME.fullmatch(name):
            problems.append(Problem(message=f"`{name}` is not a variable name", path="--env"))
        elif equals:
            variables[name] = value
        elif name not in variables:
            problems.append(Problem(message=f"`{name}` is not set here, so there is nothing to pass on", path="--env"))
    if problems:
        raise ConfigInvalid(problems, what="environment")
    return variables, tuple(sorted(name for name, value in variables.items() if os.environ.get(name) != value))


def as_typed(pairs: Sequence[str], env_file: str | None) -> list[str]:
    """The options again, to be shown; what would be a secret's value is left open."""
    words = ["--env-file", env_file] if env_file is not None else []
    for pair in pairs:
        name, equals, _ = pair.partition("=")
        words += ["--env", f"{name}=..." if equals and is_secret(name) else pair]
    return words


def parse_env_file(file: str, text: str, base: Mapping[str, str], problems: list[Problem]) -> dict[str, str]:
    """The variables of `NAME=VALUE` lines; a bare NAME is taken from `base`, and of two lines with one name the later
    counts. Adds to `problems` each line that is wrong, none of which shows what stands in it.
    """
    from io import StringIO

    from dotenv.parser import parse_stream

    found: dict[str, str] = {}
    for name, written, (source, line), is_wrong in parse_stream(StringIO(text)):
        statement = source.strip()
        value = base.get(name or "") if written is None else written
        if _OPENS_A_QUOTE.match(statement) and (is_wrong or "\n" in statement):
            message = "the quote that opens the value is not closed at its end; a value is one line"
        elif is_wrong or (name is not None and not _NAME.fullmatch(name)):
            message = "not a `NAME=VALUE` line"
        elif name is not None and value is None:
            message = "no `=`, and no variable of this name is set here to be passed on"
        else:
            if name is not None and value is not None:  # not blank, nor a comment
                found[name] = value
            continue
        line += source[: len(source) - len(source.lstrip())].count("\n")  # the parser counts blank lines before it
        problems.append(Problem(message=message, file=file, line=line))
    return found
