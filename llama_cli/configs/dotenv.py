"""A file of variables to fill in, in the form that `--env-file` reads. Holds names, what they do and what they are
unless set; nobody's value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from llama_cli.configs.variables import Variable
from runtime.redaction import MASK
from runtime.stdio import one_line

_PLAIN = re.compile(r"[\w./:@%+,=~-]*")

_SECTIONS = (("needed", "Needed"), ("turns_on", "Each turns on a provider"), ("other", "Others, with their defaults"))


def dotenv(variables: Sequence[Variable], shown: str) -> str:
    """The file. What is needed is there to be filled in; the rest is commented out. Needed comes first."""
    parts = [f"# The variables of {shown}, for `llama stack run --env-file FILE`.\n"]
    for section, heading in _SECTIONS:
        of_it = [variable for variable in variables if _section(variable) == section]
        if of_it:
            parts.append(f"# {heading}\n\n" + "\n".join(_entry(variable) for variable in of_it))
    return "\n".join(parts)


def _section(variable: Variable) -> str:
    return "needed" if variable.is_required else "turns_on" if variable.turns_on else "other"


def _entry(variable: Variable) -> str:
    secret = " (a secret)" if variable.is_secret else ""
    line = f"{variable.name}={_written(variable.default or '')}"
    return f"# {one_line(variable.purpose)}{secret}\n{line if variable.is_required else f'#{line}'}\n"


def _written(value: str) -> str:
    """A value as `--env-file` reads it; empty for one with a masked part or a line feed, which has no such form."""
    if MASK in value or one_line(value) != value:
        return ""
    if _PLAIN.fullmatch(value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
