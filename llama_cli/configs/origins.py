"""Where each value of a run config comes from: the command line, a variable, a line of the file, a template, or the
default that is built in. Secrets are masked.

    flag  >  variable that the file refers to  >  the file's own text  >  built in

Walks the settings as they were validated beside the nodes that they were read from; knows no particular setting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel

from llama_cli.configs.scalars import on_one_line
from runtime.config.document import Key, Node, child_path
from runtime.config.run_config import RunConfig, RunFile
from runtime.config.substitution import Use
from runtime.redaction import redact
from runtime.stack.plan import Plan

Kind = Literal["command line", "environment", "variable default", "file", "template", "built-in"]
_APART = ("version", "providers", "registered_resources")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """variables: those that the value depends on. line: in the file. option: of the command line. made_of: what the
    text was rendered from while no file holds it.
    """

    kind: Kind
    variables: tuple[str, ...] = ()
    line: int | None = None
    option: str | None = None
    made_of: str | None = None

    def __str__(self) -> str:
        place = f", line {self.line}" if self.line else ""
        named = ", ".join(self.variables)
        if self.kind == "command line":
            return self.option or ""
        if self.kind == "environment":
            return f"from {named}{place}"
        if self.kind == "variable default":
            return f"{named} {'is' if len(self.variables) == 1 else 'are'} not set{place}"
        if self.kind == "template":
            return self.made_of or ""
        return f"line {self.line}" if self.kind == "file" else "built-in default"


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """A value that holds no others, or is empty."""

    value: Any
    origin: Origin

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        facts = {"kind": self.origin.kind, "variables": list(self.origin.variables), "line": self.origin.line}
        return {"value": self.value, "origin": {**facts, "option": self.origin.option}}


Tree = dict[str, Any] | list[Any] | Leaf
"""Mappings and lists as in the file, with leaves for values."""


def resolved(
    run: RunConfig, planned: Plan, *, made_of: str | None = None, chosen: Mapping[str, Origin] | None = None
) -> dict[str, Any]:
    """The tree of a run config, as a server reads it, with the settings of its providers.

    made_of: what the text was rendered from while no file holds it. chosen: the origins of what was changed after the
    file was read, by key path.
    """
    walk = _Walk(run.uses, made_of=made_of, chosen=chosen or {})
    sections = {name: getattr(run, name) for name in RunFile.model_fields if name not in _APART}
    tree: dict[str, Any] = {"version": walk.tree(run.version, run.version, run.tree.get("version"), "version")}
    for name, value in sections.items():
        if value is not None:
            tree[name] = walk.tree(value, _plain(value, name), run.tree.get(name), name)
    by_id = {(provider.api, provider.provider_id): provider for provider in planned.providers}
    tree["providers"] = {}
    for api, entries in run.providers.items():
        tree["providers"][api] = []
        for place, entry in enumerate(entries):
            path = f"providers.{api}[{place}]"
            facts = {"provider_id": entry.provider_id, "provider_type": entry.provider_type}
            shown = {
                key: walk.tree(value, value, entry.node.get(key), child_path(path, key)) for key, value in facts.items()
            }
            provider = by_id[api, entry.provider_id]
            inside = child_path(path, "config")
            shown["config"] = walk.tree(provider.config, provider.shown(), entry.config_node, inside)
            tree["providers"][api].append(shown)
    tree["registered_resources"] = {
        kind: [
            walk.tree(entry.values, redact(entry.values), entry.node, f"registered_resources.{kind}[{place}]")
            for place, entry in enumerate(entries)
        ]
        for kind, entries in run.registered_resources.items()
    }
    return tree


def flattened(tree: Tree, path: str = "") -> Iterator[tuple[str, Leaf]]:
    """Every leaf by its key path."""
    if isinstance(tree, Leaf):
        yield path, tree
    elif isinstance(tree, dict):
        for key, inner in tree.items():
            yield from flattened(inner, child_path(path, key))
    else:
        for place, inner in enumerate(tree):
            yield from flattened(inner, child_path(path, place))


def as_yaml(tree: Tree, indent: str = "") -> Iterator[str]:
    """The tree as lines of YAML, each value with its origin in a comment."""
    if isinstance(tree, dict):
        for key, inner in tree.items():
            yield from _entry(f"{indent}{on_one_line(key)}:", inner, indent + ("" if isinstance(inner, list) else "  "))
    elif isinstance(tree, list):
        for inner in tree:
            if isinstance(inner, dict) and inner:
                first, *others = as_yaml(inner, indent + "  ")
                yield f"{indent}- {first.lstrip()}"
                yield from others
            else:
                yield from _entry(f"{indent}-", inner, indent + "  ")


def _entry(head: str, inner: Tree, indent: str) -> Iterator[str]:
    if isinstance(inner, Leaf):
        yield f"{head} {on_one_line(inner.value)}  # {inner.origin}"
    elif inner:
        yield head
        yield from as_yaml(inner, indent)
    else:
        yield f"{head} {'{}' if isinstance(inner, dict) else '[]'}"


def _plain(value: Any, key: str) -> Any:
    """A section as JSON, secrets masked."""

    def dumped(one: Any) -> Any:
        return one.model_dump(mode="json", exclude_none=True) if isinstance(one, BaseModel) else one

    return redact([dumped(one) for one in value] if isinstance(value, list) else dumped(value), key=key)


class _Walk:
    def __init__(self, uses: list[Use], *, made_of: str | None, chosen: Mapping[str, Origin]) -> None:
        self._uses: dict[str, list[Use]] = {}
        for use in uses:
            self._uses.setdefault(use.path, []).append(use)
        self._made_of = made_of
        self._chosen = chosen

    def tree(self, value: Any, plain: Any, node: Node | None, path: str) -> Tree:
        """value: as validated, for the names that its fields have in a file; plain: the same, to be shown; node: where
        it was read from; None where the file does not have it.
        """
        if isinstance(plain, dict) and plain:
            return {key: self._below(value, inner, node, path, key) for key, inner in plain.items()}
        if isinstance(plain, list) and plain:
            return [self._below(value, inner, node, path, place) for place, inner in enumerate(plain)]
        return Leaf(value=plain, origin=self._origin(node, path))

    def _below(self, value: Any, plain: Any, node: Node | None, path: str, key: Key) -> Tree:
        inner: Any = None
        names: list[Key] = [key]
        if isinstance(value, BaseModel) and isinstance(key, str):
            inner = getattr(value, key, None)
            names += _aliases(value, key)
        elif isinstance(value, dict):
            inner = value.get(key)
        elif isinstance(value, list | tuple) and isinstance(key, int) and key < len(value):
            inner = value[key]
        below = node
        if node is not None and (node.mapping is not None or node.items is not None):
            below = next((found for name in names if (found := node.get(name)) is not None), None)
        return self.tree(inner, plain, below, child_path(path, key))

    def _origin(self, node: Node | None, path: str) -> Origin:
        if path in self._chosen:
            return self._chosen[path]
        if node is None or (node.value is None and node.text is None):
            return Origin(kind="built-in")
        uses = self._uses.get(node.path, [])
        found = tuple(use.variable for use in uses if use.is_set)
        line = node.line if self._made_of is None else None
        if found:
            return Origin(kind="environment", variables=found, line=line)
        if uses:
            names = tuple(dict.fromkeys(use.variable for use in uses))
            return Origin(kind="variable default", variables=names, line=line)
        if self._made_of is not None:
            return Origin(kind="template", made_of=self._made_of)
        return Origin(kind="file", line=line)


def _aliases(model: BaseModel, field: str) -> list[Key]:
    """The other names under which a file may have the field."""
    stated = type(model).model_fields.get(field)
    alias = stated.validation_alias if stated is not None else None
    if isinstance(alias, AliasChoices):
        return [choice for choice in alias.choices if isinstance(choice, str)]
    return [alias] if isinstance(alias, str) else []
