"""Which variables a run config refers to, where, and what each does there. Knows no value of any variable but whether
a provider is on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from runtime.config import references
from runtime.config.document import Node
from runtime.config.loading import is_left_out
from runtime.config.reading import DISABLED, Reading
from runtime.config.references import Form
from runtime.config.substitution import substitute
from runtime.redaction import hides, redact_text


@dataclass(frozen=True, kw_only=True)
class Mention:
    """One `${env.X}` of a run config. argument: the `d` or `v` of its form. path, line: where it stands; key: the last
    key of that path.

    owner: the type of the provider in whose settings it stands; turns_on: of the one that it turns on. is_off: whether
    it stands in a provider or a resource that is off. is_secret: whether the value there is a secret, or in a secret's
    place in a URL.
    """

    variable: str
    form: Form
    argument: str
    path: str
    line: int | None
    key: str = ""
    owner: str | None = None
    turns_on: str | None = None
    is_off: bool = False
    is_secret: bool = False

    @property
    def is_required(self) -> bool:
        """Whether a server does not start while the variable is not set."""
        return not self.form and not self.is_off


def mentions(reading: Reading) -> list[Mention]:
    """Every reference in the tree of a run config, in the order of the file."""
    found: list[Mention] = []
    for key, node in reading.top.items():
        if key == "providers":
            found += _in_entries(node, lambda entry: _in_provider(reading, entry))
        elif key == "registered_resources":
            found += _in_entries(node, lambda entry: _in(entry, "", is_off=is_left_out(reading, entry)))
        else:
            found += _in(node, key)
    return found


def _in_entries(section: Node, within: Callable[[Node], Iterator[Mention]]) -> Iterator[Mention]:
    for entries in (section.mapping or {}).values():
        for entry in entries.items or []:
            yield from within(entry)


def _in_provider(reading: Reading, entry: Node) -> Iterator[Mention]:
    id_node, type_node = entry.get("provider_id"), entry.get("provider_type")
    kind = str(type_node.plain()) if type_node is not None else None
    is_off = reading.is_off(id_node)
    for key, node in (entry.mapping or {}).items():
        if node is id_node:
            yield from _in(node, key, turns_on=kind if _is_switch(node) else None)
        else:
            yield from _in(node, key, owner=kind, is_off=is_off)


def _is_switch(id_node: Node) -> bool:
    """Whether a provider with this id is off until a variable is set: `${env.X:+id}`, `${env.X:=__disabled__}`."""
    if not isinstance(id_node.value, str):
        return False
    unset = substitute(id_node.value, {})
    return bool(unset.reads) and not unset.missing and unset.text in ("", DISABLED)


def _in(node: Node, key: str, *, is_secret: bool = False, **facts: Any) -> Iterator[Mention]:
    is_hidden = is_secret or hides(key)
    if isinstance(node.value, dict):
        for name, child in node.value.items():
            yield from _in(child, name, is_secret=is_hidden, **facts)
    elif isinstance(node.value, list):
        for item in node.value:
            yield from _in(item, key, is_secret=is_hidden, **facts)
    elif isinstance(node.value, str):
        safe = redact_text(node.value)
        for one in references.find(node.value)[0]:
            facts["is_secret"] = is_hidden or node.value[one.start : one.end] not in safe
            place: dict[str, Any] = {"path": node.path, "line": node.line, "key": key}
            yield Mention(variable=one.variable, form=one.form, argument=one.argument, **place, **facts)
