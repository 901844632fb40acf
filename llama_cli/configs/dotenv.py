"""A file of variables to fill in, in the form that `--env-file` reads. Holds names and what they do; no value."""

from __future__ import annotations

from collections.abc import Sequence

from llama_cli.configs.variables import Variable

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
    line = f"{variable.name}={variable.default or ''}"
    return f"# {variable.purpose}{secret}\n{line if variable.is_required else f'#{line}'}\n"
