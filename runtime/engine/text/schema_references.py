"""Where the references of a JSON Schema lead, written in the one way that can be followed by anybody.

A schema can be named by a pointer, by an anchor, and by an id that other ids are relative to; and a pointer can lead
to what is a schema only because of it. What checks a schema and what compiles it must see the same ones: so each
reference becomes a pointer to a place of a schema, to one that is moved into `$defs` where it is elsewhere, and ids
and anchors go. https://json-schema.org/draft/2020-12, sections 8.2
and 9
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urldefrag, urljoin

from runtime.engine.text.schema_places import Keys, at, children, pointed, with_inner

_NAMES = ("$id", "$anchor", "$dynamicAnchor")


class LeadsNowhere(Exception):
    """A reference that leads to no schema. place: of its node, in the way of `param`."""

    def __init__(self, place: str, reference: str) -> None:
        super().__init__(f"the reference `{reference[:200]}` leads to no schema in this one")
        self.place = place


def plain(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with each `$ref` as `#` and a pointer, and without ids and anchors.

    Raises LeadsNowhere for one that is needed; one that nothing leads to is left out.
    """
    named = _Named(schema)
    _gather(schema, (), "", "", named)
    for place in _needed(named):
        if place.reference is not None and place.target(named) is None:
            raise LeadsNowhere(place.path, place.reference)
    result: dict[str, Any] = _plain(schema, (), named)
    if named.elsewhere:
        own = result.get("$defs")
        moved = {name: _plain(named.places[keys].node, keys, named) for keys, name in named.elsewhere.items()}
        result["$defs"] = {**(own if isinstance(own, dict) else {}), **moved}
    return result


@dataclass(frozen=True)
class _Place:
    """A schema. base: what ids in it are relative to."""

    node: Any
    keys: Keys
    path: str
    base: str

    @property
    def reference(self) -> str | None:
        found = self.node.get("$ref") if isinstance(self.node, dict) else None
        return found if isinstance(found, str) else None

    def target(self, named: _Named) -> Keys | None:
        """The place that its reference leads to."""
        document, _, fragment = (self.reference or "").partition("#")
        base = _within(self.base, document) if document else self.base
        start = named.documents.get(base)
        if start is None:
            return None
        if fragment and not fragment.startswith("/"):
            return named.anchors.get((base, fragment))
        keys = (*start, *pointed(fragment))
        if keys not in named.places and isinstance(found := at(named.schema, keys), dict | bool):
            named.move(keys)
            _gather(found, keys, "".join(f".{step}" for step in keys), base, named)
        return keys if keys in named.places else None


@dataclass
class _Named:
    """What a schema can be named by. elsewhere: places that only references make schemas, with names in `$defs`."""

    schema: dict[str, Any]
    elsewhere: dict[Keys, str] = field(default_factory=dict)
    places: dict[Keys, _Place] = field(default_factory=dict)
    documents: dict[str, Keys] = field(default_factory=lambda: {"": ()})
    anchors: dict[tuple[str, str], Keys] = field(default_factory=dict)

    def move(self, keys: Keys) -> None:
        name, own = "/".join(keys), self.schema.get("$defs")
        while (isinstance(own, dict) and name in own) or name in self.elsewhere.values():
            name += "_"
        self.elsewhere[keys] = name

    def pointer(self, keys: Keys) -> str:
        """To a place, in the schema that is made."""
        for above in range(len(keys), -1, -1):
            if (name := self.elsewhere.get(keys[:above])) is not None:
                keys = ("$defs", name, *keys[above:])
                break
        return "#" + "".join(f"/{_escaped(step)}" for step in keys)


def _gather(node: Any, keys: Keys, path: str, base: str, named: _Named) -> None:
    """Write down every schema, and what it can be named by."""
    if not isinstance(node, dict):
        named.places[keys] = _Place(node, keys, path, base)
        return
    anchors: list[Any] = [node.get("$anchor"), node.get("$dynamicAnchor")]
    if isinstance(given := node.get("$id"), str):
        document, _, fragment = given.partition("#")
        anchors.append(fragment)
        if document:
            base = _within(base, document)
            named.documents.setdefault(base, keys)
    for anchor in anchors:
        if isinstance(anchor, str) and anchor:
            named.anchors.setdefault((base, anchor), keys)
    named.places[keys] = _Place(node, keys, path, base)
    for steps, step, inner in children(node):
        _gather(inner, keys + steps, path + step, base, named)


def _within(base: str, document: str) -> str:
    """An id that is relative to another, without its fragment. One that is no address stands for itself."""
    try:
        return urldefrag(urljoin(base, document))[0]
    except ValueError:  # half an IPv6 address
        return document


def _needed(named: _Named) -> list[_Place]:
    """The places that the root leads to: those in it, but for definitions, and those that references lead to."""
    found: dict[Keys, _Place] = {}
    left: list[Keys] = [()]
    while left:
        keys = left.pop()
        if keys in found:
            continue
        place = found[keys] = named.places[keys]
        if not isinstance(place.node, dict):
            continue
        left += [keys + steps for steps, _, _ in children(place.node) if steps[0] not in ("$defs", "definitions")]
        if place.reference is not None and (target := place.target(named)) is not None:
            left.append(target)
    return list(found.values())


def _plain(node: Any, keys: Keys, named: _Named) -> Any:
    if not isinstance(node, dict):
        return node
    result = with_inner(node, lambda steps, inner: _plain(inner, keys + steps, named))
    for name in _NAMES:
        result.pop(name, None)
    place = named.places[keys]
    if place.reference is not None:
        target = place.target(named)
        if target is None:
            del result["$ref"]
        else:
            result["$ref"] = named.pointer(target)
    return result


def _escaped(step: str) -> str:
    return quote(step.replace("~", "~0").replace("/", "~1"), safe="~$&+,;=:@!()*")
