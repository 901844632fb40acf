"""Replaces `${env.X}` in a run config by the variable's value, and records which variables were read where.

Knows strings, variables and nodes; not what any key means, nor how references are written (`references`). An empty
variable counts as unset: `${env.X}` is then a problem, unless its value may wait; `${env.X:=d}` gives d, and
`${env.X:+v}` gives an empty string.

A string with a reference is read again as YAML after the replacement: empty is null, true and false are bools, digits
are numbers. The text is kept beside the value, since a password of digits is still a password (see `validation`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from runtime.config import references
from runtime.config.document import Key, Node, Scalar, child_path
from runtime.config.references import Form, Malformed
from runtime.config.variables import is_like, links, lookup
from runtime.errors import Problem
from runtime.redaction import is_secret

_PATHS = ("file", "path", "dir", "folder")
"""How the name of a setting ends that says where a secret is."""
_NOT_UTF8 = re.compile(r"[\udc80-\udcff]")  # how Python keeps bytes of a variable that are not UTF-8
_INTEGER = re.compile(r"[+-]?[0-9]{1,1000}")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, kw_only=True)
class ReadVariable:
    """A variable that a string reads.

    is_set: whether it had a value. is_text: whether that is UTF-8. links: the names under which Kubernetes put the
    address of a service instead of a value. is_older: written in the form used until llama-stack 0.2.12.
    """

    variable: str
    form: Form
    is_set: bool
    is_text: bool = True
    links: tuple[str, ...] = ()
    is_older: bool = False


@dataclass(frozen=True, kw_only=True)
class Substituted:
    """A string after substitution. text: the resulting string. value: `text` read as YAML, or `text` itself if the
    string had no reference.

    missing: unset variables of references without a default. malformed: what looks like a reference but is not one.
    """

    value: Scalar
    text: str
    reads: tuple[ReadVariable, ...] = ()
    missing: tuple[str, ...] = ()
    malformed: tuple[Malformed, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.text and not self.missing


@dataclass(frozen=True, kw_only=True)
class Use:
    """Records that the value at `path` comes from a variable; `show --resolved` prints it as the value's origin."""

    path: str
    line: int | None
    variable: str
    form: Form
    is_set: bool

    @property
    def is_awaited(self) -> bool:
        """Whether a server needs the variable, and it is not set yet."""
        return not self.is_set and not self.form


def substitute(text: str, env: Mapping[str, str], *, is_path: bool = True) -> Substituted:
    """Replace every reference in `text`; a leading `~` becomes the user's home folder.

    is_path: whether it may be one, which a secret is not.
    """
    found, malformed = references.find(text)
    if malformed:
        return Substituted(value=text, text=text, malformed=tuple(malformed))
    parts: list[str] = []
    reads: list[ReadVariable] = []
    place = 0
    for reference in found:
        value = lookup(reference.variable, env)
        parts.append(text[place : reference.start])
        if reference.form == "+":
            parts.append(reference.argument if value else "")
        else:
            parts.append(value or reference.argument)
        place = reference.end
        reads.append(
            ReadVariable(
                variable=reference.variable,
                form=reference.form,
                is_set=bool(value),
                is_text=_NOT_UTF8.search(value) is None,
                links=() if value else tuple(links(reference.variable, env)),
                is_older=reference.is_older,
            )
        )
    result = "".join([*parts, text[place:]])
    if is_path:
        result = _expand_home(result, env)
    missing = dict.fromkeys(read.variable for read in reads if not read.is_set and not read.form)
    return Substituted(
        value=coerce(result) if reads else result, text=result, reads=tuple(reads), missing=tuple(missing)
    )


def variables_in(text: str) -> tuple[str, ...]:
    """The variables that `text` refers to, in order, each once."""
    return tuple(dict.fromkeys(reference.variable for reference in references.find(text)[0]))


def when_set(text: str) -> str:
    """`text` as if every variable of a `${env.X:+v}` were set: the id that a provider has when it is on."""
    for reference in reversed(references.find(text)[0]):
        if reference.form == "+":
            text = text[: reference.start] + reference.argument + text[reference.end :]
    return text


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
    node: Node,
    env: Mapping[str, str],
    *,
    problems: list[Problem],
    uses: list[Use],
    file: str | None = None,
    warn: Callable[[str, Node], None] = lambda message, node: None,
    may_wait: Callable[[str], bool] = lambda place: False,
    place: str = "",
    key: Key = "",
) -> Node:
    """A new tree with every string substituted. Adds to `problems` what cannot be, to `uses` each variable read.

    may_wait: whether the value at a place is not needed yet, so that its variable may be unset. place: the node's key
    path in the tree, which may differ from its path in the file. key: the last one of that.
    """

    def below(child: Node, key: Key) -> Node:
        inner = child_path(place, key)
        return resolve(
            child, env, problems=problems, uses=uses, file=file, warn=warn, may_wait=may_wait, place=inner, key=key
        )

    if isinstance(node.value, dict):
        return Node({key: below(child, key) for key, child in node.value.items()}, node.path, node.line)
    if isinstance(node.value, list):
        return Node([below(item, index) for index, item in enumerate(node.value)], node.path, node.line)
    if not isinstance(node.value, str):
        return node
    result = substitute(node.value, env, is_path=not _is_secret(key))
    for read in result.reads:
        uses.append(Use(path=node.path, line=node.line, variable=read.variable, form=read.form, is_set=read.is_set))
        for message in _warnings_of(read):
            warn(message, node)
    if result.missing and may_wait(place):
        return Node(f"unset-{result.missing[0]}", node.path, node.line, awaits=result.missing)
    problems.extend(problems_of(result, node, env, file=file))
    return Node(result.value, node.path, node.line, result.text)


def _warnings_of(read: ReadVariable) -> Iterator[str]:
    for name in read.links:
        yield f"`{name}` is the address that Kubernetes gives for a service, so it counts as unset"
    if read.is_older:
        name, sign = f"${{env.{read.variable}", ":" if read.form == "=" else "+"
        yield f"`{name}{sign}...}}` is from before llama-stack 0.2.13; write `{name}:{read.form}...}}`"


def problems_of(result: Substituted, node: Node, env: Mapping[str, str], *, file: str | None = None) -> list[Problem]:
    """The problems of a substitution, with the place of its string. env: where a mistyped variable may be set."""
    found: list[tuple[str, str]] = []
    for variable in result.missing:
        is_link = any(read.links for read in result.reads if read.variable == variable)
        why = "is the address that Kubernetes gives for a service, and no value" if is_link else "is not set"
        hint = f"set it, or give a default: `${{env.{variable}:=default}}`"
        close = next((name for name in sorted(env) if env[name] and is_like(variable, name)), None)
        found.append((f"`{variable}` {why}", f"`{close}` is set: was that meant? Else {hint}" if close else hint))
    for variable in (read.variable for read in result.reads if not read.is_text):
        found.append((f"`{variable}` holds bytes that are not UTF-8", "set it again"))
    for piece in result.malformed:
        if piece.is_unbalanced:
            found.append(
                (
                    f"`{piece.shown}` has braces that are not in pairs, so where it ends is not known",
                    "a `{` or `}` alone can only stand in the variable's own value",
                )
            )
        else:
            found.append(
                (
                    f"`{piece.shown}` is not a reference that can be read",
                    "the forms are `${env.X}`, `${env.X:=default}` and `${env.X:+value}`, without another one inside",
                )
            )
    return [Problem(message=message, path=node.path, file=file, line=node.line, hint=hint) for message, hint in found]


def _is_secret(key: Key) -> bool:
    return isinstance(key, str) and is_secret(key) and not key.lower().endswith(_PATHS)


def _expand_home(text: str, env: Mapping[str, str]) -> str:
    if text == "~" or text.startswith("~/"):
        return (env.get("HOME") or str(Path.home())) + text[1:]
    return text
