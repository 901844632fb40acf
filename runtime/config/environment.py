"""`${env.X}` in a run config: what it stands for, which type the result has, and which variables were read where.

Knows strings, variables and nodes; not what any key means. Rules, the same in every era of llama-stack:

    ${env.X}        the value; unset or empty is a problem
    ${env.X:=d}     the value, else d            ${env.X:=}   the value, else empty
    ${env.X:+v}     v when X is set, else empty  ${env.X:+}   empty

A string that a reference changed is then read as YAML would: empty is null, true and false are bools, digits are
numbers. The text is kept beside the value, since a password of digits is still a password (see `validation`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runtime.config.document import Node, Scalar
from runtime.errors import Problem

_REFERENCE = re.compile(r"\$\{env\.([A-Za-z0-9_]+)(?::([=+])([^}]*))?\}")
_BEGINNING = re.compile(r"\$\{env\.[A-Za-z0-9_]*[^A-Za-z0-9_]{0,2}")
_INTEGER = re.compile(r"[+-]?[0-9]{1,1000}")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_PREFIXES = ("LLAMA_STACK_", "OGX_")

Form = Literal["", "=", "+"]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One `${env.X}`. form: what follows the name, `=`, `+` or nothing; is_set: whether the variable had a value."""

    variable: str
    form: Form
    is_set: bool


@dataclass(frozen=True, kw_only=True)
class Substituted:
    """A string after substitution. text: as put together; value: text read as YAML reads it, the text itself if
    nothing was substituted.

    missing: variables of bare references that are unset. malformed: pieces that look like a reference and are none.
    """

    value: Scalar
    text: str
    references: tuple[Reference, ...] = ()
    missing: tuple[str, ...] = ()
    malformed: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.text and not self.missing


@dataclass(frozen=True, kw_only=True)
class Use:
    """That the value at `path` was read from a variable: the origin that `show --resolved` tells."""

    path: str
    line: int | None
    variable: str
    form: Form
    is_set: bool


def lookup(variable: str, env: Mapping[str, str]) -> str:
    """The variable's value, empty when unset; `OGX_X` and `LLAMA_STACK_X` stand in for each other."""
    value = env.get(variable, "")
    if value:
        return value
    for prefix in _PREFIXES:
        if variable.startswith(prefix):
            others = (other + variable.removeprefix(prefix) for other in _PREFIXES if other != prefix)
            return next((env[other] for other in others if env.get(other)), "")
    return ""


def substitute(text: str, env: Mapping[str, str]) -> Substituted:
    """Replace every reference in `text`; a leading `~` becomes the user's home folder."""
    references: list[Reference] = []
    missing: list[str] = []

    def replaced(match: re.Match[str]) -> str:
        variable, form, argument = match.group(1), match.group(2) or "", match.group(3) or ""
        value = lookup(variable, env)
        references.append(Reference(variable=variable, form=_form(form), is_set=bool(value)))
        if form == "+":
            return argument if value else ""
        if not value and not form:
            missing.append(variable)
        return value or argument

    malformed = tuple(_malformed(text))
    if malformed:
        return Substituted(value=text, text=text, malformed=malformed)
    result = _expand_home(_REFERENCE.sub(replaced, text), env)
    return Substituted(
        value=coerce(result) if references else result,
        text=result,
        references=tuple(references),
        missing=tuple(dict.fromkeys(missing)),
    )


def variables_in(text: str) -> tuple[str, ...]:
    """The variables that `text` refers to, in order, each once."""
    return tuple(dict.fromkeys(match.group(1) for match in _REFERENCE.finditer(text)))


def when_set(text: str) -> str:
    """`text` as if every variable of a `${env.X:+v}` were set: the id that a provider has when it is on."""
    return _REFERENCE.sub(lambda match: (match.group(3) or "") if match.group(2) == "+" else match.group(), text)


def coerce(text: str) -> Scalar:
    """Empty -> None, true/false in any case -> bool, then int, then a finite float, else the text."""
    if not text:
        return None
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


def resolve(
    node: Node, env: Mapping[str, str], *, problems: list[Problem], uses: list[Use], file: str | None = None
) -> Node:
    """A new tree with every string substituted. Adds to `problems` what cannot be, to `uses` each variable read."""
    if isinstance(node.value, dict):
        below = {key: resolve(child, env, problems=problems, uses=uses, file=file) for key, child in node.value.items()}
        return Node(below, node.path, node.line)
    if isinstance(node.value, list):
        items = [resolve(item, env, problems=problems, uses=uses, file=file) for item in node.value]
        return Node(items, node.path, node.line)
    if not isinstance(node.value, str):
        return node
    result = substitute(node.value, env)
    for reference in result.references:
        uses.append(
            Use(
                path=node.path,
                line=node.line,
                variable=reference.variable,
                form=reference.form,
                is_set=reference.is_set,
            )
        )
    problems.extend(problems_of(result, node, file=file))
    return Node(result.value, node.path, node.line, result.text)


def problems_of(result: Substituted, node: Node, *, file: str | None = None) -> list[Problem]:
    """What is wrong with a substitution, placed where its string stands."""
    unset = [
        Problem(
            message=f"`{variable}` is not set",
            path=node.path,
            file=file,
            line=node.line,
            hint=f"set it, or give a default: `${{env.{variable}:=default}}`",
        )
        for variable in result.missing
    ]
    strange = [
        Problem(
            message=f"`{piece}` is not a reference that can be read",
            path=node.path,
            file=file,
            line=node.line,
            hint="the forms are `${env.X}`, `${env.X:=default}` and `${env.X:+value}`, without another one inside",
        )
        for piece in result.malformed
    ]
    return unset + strange


def _malformed(text: str) -> list[str]:
    pieces: list[str] = []
    start = text.find("${env.")
    while start >= 0:
        match = _REFERENCE.match(text, start)
        if match is None or "${env." in (match.group(3) or ""):
            # Only the beginning: what follows may be a secret's default.
            begun = _BEGINNING.match(text, start)
            pieces.append(f"{begun.group() if begun else ''}...")
        start = text.find("${env.", match.end() if match else start + 1)
    return pieces


def _expand_home(text: str, env: Mapping[str, str]) -> str:
    if text == "~" or text.startswith("~/"):
        return (env.get("HOME") or str(Path.home())) + text[1:]
    return text


def _form(found: str) -> Form:
    return "=" if found == "=" else "+" if found == "+" else ""
