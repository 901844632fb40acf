"""The lines of an `--env-file`: `NAME=VALUE`, as Docker and shells read them where they agree.

Knows how they are written. A message never shows what stands in a line: it may be half a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from runtime.errors import Problem

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EXPORT = re.compile(r"^export\s+")
_QUOTED = re.compile(r"""(["'])(.*?)\1(\s+#.*)?""")
_COMMENT = re.compile(r"(?:^|\s+)#")


def parse_env_file(name: str, text: str, base: Mapping[str, str], problems: list[Problem]) -> dict[str, str]:
    """`NAME=VALUE` lines, also with `export` before, quotes around, a comment after; a bare NAME is taken from `base`,
    and of two lines with one name the later counts. Adds to `problems` each line that is wrong.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        stated = _EXPORT.sub("", line.strip())
        if not stated or stated.startswith("#"):
            continue
        variable, equals, written = (part.strip() for part in stated.partition("="))
        value = _value(written) if equals else base.get(variable)
        if not VARIABLE.fullmatch(variable):
            message = "not a `NAME=VALUE` line"
        elif value is not None:
            found[variable] = value
            continue
        elif equals:
            message = "the quote that opens the value is not closed at its end; a value is one line"
        else:
            message = "no `=`, and no variable of this name is set here to be passed on"
        problems.append(Problem(message=message, file=name, line=number))
    return found


def _value(written: str) -> str | None:
    """What stands behind the `=`; None where a quote is not closed."""
    if not written.startswith(("'", '"')):
        return _COMMENT.split(written, maxsplit=1)[0]
    quoted = _QUOTED.fullmatch(written)
    return quoted[2] if quoted else None
