"""Which variables a run config refers to, where, and what each does there. Knows no value of any variable but whether
a provider is on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from runtime.config import references
from runtime.config.document import Node
from runtime.config.reading import Reading
from runtime.config.references import Form
from runtime.config.substitution import when_set


@dataclass(frozen=True, kw_only=True)
class Mention:
    """One `${env.X}` of a run config. argument: the `d` or `v` of its form. path, line: where it stands; key: the last
    key of that path.

    owner: the type of the provider in whose settings it stands; turns_on: of the one that it turns on. is_off: whether
    it stands in a provider that is off.
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

    @property
    def is_required(self) -> bool:
        """Whether a server does not start while the variable is not set."""
        return not self.form and not self.is_off


def mentions(reading: Reading) -> list[Mention]:
    """Every reference in the tree of a run config, in the order of the file."""
    found: list[Mention] = []
    for key, node in reading.top.items():
        if key != "providers":
            found += _in(node, key)
            continue
        for entries in (node.mapping or {}).values():
            for entry in entries.items or []:
                found += _in_provider(reading, entry)
    return found


def _in_provider(reading: Reading, entry: Node) -> Iterator[Mention]:
    id_node, type_node = entry.get("provider_id"), entry.get("provider_type")
    kind = str(type_node.plain()) if type_node is not None else None
    is_off = reading.is_off(id_node)
    for key, node in (entry.mapping or {}).items():
        if node is id_node:
            is_switch = isinstance(node.value, str) and when_set(node.value) != node.value
            yield from _in(node, key, turns_on=kind if is_switch else None)
        else:
            yield from _in(node, key, owner=kind, is_off=is_off)


def _in(node: Node, key: str, **facts: Any) -> Iterator[Mention]:
    if isinstance(node.value, dict):
        for name, child in node.value.items():
            yield from _in(child, name, **facts)
    elif isinstance(node.value, list):
        for item in node.value:
            yield from _in(item, key, **facts)
    elif isinstance(node.value, str):
        for one in references.find(node.value)[0]:
            place: dict[str, Any] = {"path": node.path, "line": node.line, "key": key}
            yield Mention(variable=one.variable, form=one.form, argument=one.argument, **place, **facts)
