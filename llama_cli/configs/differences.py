"""What differs between two run configs, by key path: after older shapes are upgraded, with variables as they are
written. That two secrets differ is said; what they are is not.

A provider is found by its API and id and a registered resource by its name, so that their order is no difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from runtime.config import references
from runtime.config.document import Node, child_path
from runtime.config.reading import Reading
from runtime.config.substitution import when_set
from runtime.redaction import MASK, hides, redact_text


@dataclass(frozen=True, kw_only=True)
class Value:
    """A value as it may be shown. digest: of what is hidden in it, to compare; None where nothing is hidden."""

    shown: Any
    digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """a, b: the values, None where there is none. is_secret: whether what differs is hidden in them."""

    path: str
    change: Literal["added", "removed", "changed"]
    a: Any
    b: Any
    is_secret: bool

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def values_of(reading: Reading, *, digest: Callable[[str], str] = str) -> dict[str, Value]:
    """Every value of a run config by its key path. digest: of a secret; the same for two that are to be compared."""
    return {path: _value(raw, is_hidden, digest) for path, is_hidden, raw in _leaves(reading.root, "")}


def differences(a: Mapping[str, Value], b: Mapping[str, Value]) -> list[Difference]:
    """In the order of `a`, then what only `b` has."""
    found = []
    for path in dict.fromkeys([*a, *b]):
        one, other = a.get(path), b.get(path)
        if one == other:
            continue
        change: Literal["added", "removed", "changed"] = "changed" if one and other else "removed" if one else "added"
        is_hidden = one is not None and other is not None and one.shown == other.shown
        shown = {"a": one.shown if one else None, "b": other.shown if other else None}
        found.append(Difference(path=path, change=change, is_secret=is_hidden, **shown))
    return found


def _leaves(node: Node, path: str, is_hidden: bool = False) -> Iterator[tuple[str, bool, Any]]:
    """Each value below with its path, and whether all of it is hidden."""
    if node.mapping:
        for name, child in node.mapping.items():
            yield from _leaves(child, child_path(path, name), is_hidden or hides(name))
    elif node.items and all(item.mapping is not None for item in node.items):
        seen: Counter[str] = Counter()
        for place, item in enumerate(node.items):
            name = str(place) if is_hidden else _name(item) or str(place)
            seen[name] += 1
            again = f"#{seen[name]}" if seen[name] > 1 else ""
            yield from _leaves(item, f"{path}[{name}{again}]", is_hidden)
    else:
        yield path, is_hidden, node.plain()


def _name(item: Node) -> str:
    """What an item of a list is found by: its id, with a provider's as if it were on; empty where it has none."""
    known = item.mapping or {}
    ids = [key for key in known if key.endswith("_id") and not key.startswith("provider_")]
    for key in (*ids, "provider_id", "provider_type"):
        value = known[key].value if key in known else None
        if value and not isinstance(value, dict | list):
            return redact_text(when_set(str(value)))
    return ""


def _value(raw: Any, is_hidden: bool, digest: Callable[[str], str]) -> Value:
    shown = _masked(raw, is_hidden)
    return Value(shown=shown, digest=None if shown == raw else digest(repr(raw)))


def _masked(raw: Any, is_hidden: bool) -> Any:
    if isinstance(raw, dict):
        return {key: _masked(inner, is_hidden or hides(key)) for key, inner in raw.items()}
    if isinstance(raw, list):
        return [_masked(item, is_hidden) for item in raw]
    if isinstance(raw, str):
        return _masked_text(raw) if is_hidden else redact_text(raw)
    return MASK if is_hidden and raw is not None and not isinstance(raw, bool) else raw


def _masked_text(text: str) -> str:
    """A secret as it is written: the names of variables stay, whatever stands beside them or in their place goes."""
    found, malformed = references.find(text)
    if not found or malformed:
        return MASK if text else text
    parts, place = [], 0
    for one in found:
        parts.append(MASK if text[place : one.start] else "")
        parts.append(f"${{env.{one.variable}{f':{one.form}' if one.form else ''}{MASK if one.argument else ''}}}")
        place = one.end
    return "".join([*parts, MASK if text[place:] else ""])
