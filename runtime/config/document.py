"""YAML as nodes that remember their line and key path, so that a problem can name them.

Knows YAML, not what a run config means. PyYAML's own constructor forgets lines and silently accepts a repeated key;
here a document is composed first and turned into nodes afterwards.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from runtime.errors import Problem

Scalar = str | int | float | bool | None
Key = str | int

FAST_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Of PyYAML's safe ones: five times as fast where libyaml was compiled in, as in its wheels."""

_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_PAIR = re.compile(r"[\ud800-\udbff][\udc00-\udfff]")
"""A character beyond the first 65,536 as JSON escapes it, which YAML reads as two."""
_SYNTAX_HINTS = (
    ("character '\\t'", "YAML is indented with spaces, not with tabs"),
    ("but found '<block mapping start>'", "this line is indented as no line above it"),
    ("but found '<block sequence start>'", "this line is indented as no line above it"),
    ("mapping values are not allowed", "text with `: ` in it needs quotes; or the line is indented too far"),
    ("parsing a flow mapping, expected ',' or '}', but got '{'", 'inside braces, `"${env.X}"` needs quotes'),
)
"""What to do about the commonest of PyYAML's messages, by what stands in them."""
_TAG = "tag:yaml.org,2002:"
_MAX_DEPTH = 100
_TOO_DEEP_FOR_LIBYAML = "exceeded maximum nesting depth"
_MAX_BITS = 10_000  # of an integer: Python refuses to write far longer ones
_MAX_NODES = 200_000  # with aliases of aliases, a short text can expand to billions of nodes


@dataclass(slots=True)
class Node:
    """A value with its place in the file. line: counts from 1. path: the key path, as the file was written.

    text: a scalar as written (`0123`, `yes`) or after substitution, before it became a number or a bool.
    awaits: the unset variables that the value depends on; until they are set, a placeholder stands here.
    """

    value: Scalar | dict[str, Node] | list[Node]
    path: str = ""
    line: int | None = None
    text: str | None = None
    awaits: tuple[str, ...] = ()

    @property
    def mapping(self) -> dict[str, Node] | None:
        return self.value if isinstance(self.value, dict) else None

    @property
    def items(self) -> list[Node] | None:
        return self.value if isinstance(self.value, list) else None

    def get(self, *keys: Key) -> Node | None:
        """The node below, step by step; None where a step is missing."""
        node: Node | None = self
        for key in keys:
            node = node._child(key) if node else None
        return node

    def locate(self, location: Sequence[Key]) -> tuple[Node, list[Key]]:
        """The deepest node along `location`, and the steps that exist.

        Steps that are not in the document are skipped: pydantic also puts the names of union members into a location.
        """
        node, steps = self, []
        for key in location:
            below = node._child(key)
            if below is not None:
                node = below
                steps.append(key)
        return node, steps

    def lines(self, path: str = "") -> Iterator[tuple[str, int]]:
        """The line of every node below, by its current key path (a file of an older shape had other paths)."""
        children: Iterable[tuple[Key, Node]] = ()
        if isinstance(self.value, dict):
            children = self.value.items()
        elif isinstance(self.value, list):
            children = enumerate(self.value)
        for key, node in children:
            below = child_path(path, key)
            if node.line is not None:
                yield below, node.line
            yield from node.lines(below)

    def plain(self) -> Any:
        """The value as ordinary dictionaries, lists and scalars, a copy."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def without(self, key: str) -> Node:
        """A mapping without one of its keys."""
        assert isinstance(self.value, dict), "a mapping"
        return Node({name: node for name, node in self.value.items() if name != key}, self.path, self.line, self.text)

    def without_nulls(self) -> Node:
        """A mapping without its null values: null means the same as no key. Other nodes are returned unchanged."""
        if not isinstance(self.value, dict):
            return self
        kept = {key: node for key, node in self.value.items() if node.value is not None}
        return Node(kept, self.path, self.line, self.text)

    def _child(self, key: Key) -> Node | None:
        if isinstance(self.value, dict):
            return self.value.get(str(key))
        if isinstance(self.value, list) and isinstance(key, int) and key < len(self.value):
            return self.value[key]
        return None


def child_path(path: str, key: Key) -> str:
    """`providers.inference`, `[0]` -> `providers.inference[0]`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def parse(text: str, *, file: str | None = None) -> tuple[Node | None, list[Problem]]:
    """The document as nodes, and what is wrong with it; the node is None where the text is not YAML at all."""
    builder = _Builder(file)
    try:
        deep = _too_deep(text)
        if deep is not None:
            return None, [Problem(message="the document is nested too deeply", file=file, line=deep)]
        root = _compose(text)
        node = builder.build(root, "") if root is not None else Node(None, line=1)
    except yaml.YAMLError as error:
        return None, [_syntax_problem(error, text, file)]
    except RecursionError:
        return None, [Problem(message="the document is nested too deeply", file=file)]
    return node, builder.problems


class _Builder:
    """Turns composed nodes into ours and reports what a config must not contain: repeated keys, other tags, loops."""

    def __init__(self, file: str | None) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._constructor: Any = yaml.SafeLoader("")
        self._checked: set[int] = set()
        self._open: set[int] = set()
        self._count = 0

    def build(self, node: yaml.Node, path: str) -> Node:
        line = node.start_mark.line + 1
        self._count += 1
        if self._count > _MAX_NODES or id(node) in self._open:
            if self._count <= _MAX_NODES + 1:  # reported once, not for every further node
                self._problem("an alias refers to itself, or aliases make the document too large", path, line)
                self._count = _MAX_NODES + 1
            return Node(None, path, line)
        if isinstance(node, yaml.ScalarNode):
            node.value = _joined(node.value)
        if isinstance(node, yaml.ScalarNode) and _LONE_SURROGATE.search(node.value):
            self._problem("contains half of a surrogate pair, which is not valid text", path, line)
            return Node(None, path, line)
        if isinstance(node, yaml.ScalarNode):
            return Node(self._scalar(node, path, line), path, line, node.value)
        if node.tag not in (f"{_TAG}seq", f"{_TAG}map"):
            self._problem(f"the tag `{node.tag}` is not supported", path, line)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                items = [self.build(item, child_path(path, index)) for index, item in enumerate(node.value)]
                return Node(items, path, line)
            return Node(self._mapping(node, path), path, line)
        finally:
            self._open.discard(id(node))

    def _scalar(self, node: yaml.ScalarNode, path: str, line: int) -> Scalar:
        kind = node.tag.removeprefix(_TAG)
        if kind in ("str", "timestamp", "binary"):  # nothing here wants dates or bytes; `2024-05-01` is an API version
            return str(node.value)
        if kind not in ("null", "bool", "int", "float"):
            self._problem(f"the tag `{node.tag}` is not supported", path, line)
            return None
        try:
            value: Scalar = self._constructor.construct_object(node)
        except (yaml.YAMLError, ValueError, LookupError, ArithmeticError):
            self._problem(f"is not of the type that its tag `{kind}` says", path, line)  # it may be a secret
            return None
        if isinstance(value, int) and value.bit_length() > _MAX_BITS:
            self._problem("is too large a number", path, line)
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self._problem("is not a finite number", path, line)
            return None
        return value

    def _mapping(self, node: Any, path: str) -> dict[str, Node]:
        if id(node) not in self._checked:  # an alias gives the same node again, with its merges already resolved
            self._checked.add(id(node))
            self._check_keys(node, path)
            try:
                self._constructor.flatten_mapping(node)
            except yaml.MarkedYAMLError as error:
                self._problem(f"`<<` cannot be merged: {error.problem}", path, node.start_mark.line + 1)
        children: dict[str, Node] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and not _LONE_SURROGATE.search(key.value):
                child = self.build(value, child_path(path, key.value))
                if value.start_mark.line < key.start_mark.line:  # an alias: the key's line helps more than the anchor's
                    child.line = key.start_mark.line + 1
                children[key.value] = child
        return children

    def _check_keys(self, node: Any, path: str) -> None:
        first: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode):
                key.value = _joined(key.value)
            if not isinstance(key, yaml.ScalarNode):
                self._problem("a key must be a plain word", path, line)
            elif _LONE_SURROGATE.search(key.value):
                self._problem("a key contains half of a surrogate pair, which is not valid text", path, line)
            elif key.value in first and key.value != "<<":
                message = f"`{key.value}` is given twice, first in line {first[key.value]}"
                self._problem(message, child_path(path, key.value), line)
            else:
                first[key.value] = line

    def _problem(self, message: str, path: str, line: int) -> None:
        self.problems.append(Problem(message=message, path=path, file=self.file, line=line))


def _joined(text: str) -> str:
    return _PAIR.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)


def _compose(text: str) -> yaml.Node | None:
    """The document's nodes. Raises YAMLError, and RecursionError for nesting too deep for PyYAML's own parser."""
    try:
        composed: yaml.Node | None = yaml.compose(text, Loader=FAST_LOADER)
    except yaml.YAMLError:
        # libyaml is ten times faster, PyYAML's own parser explains better.
        composed = yaml.compose(text, Loader=yaml.SafeLoader)
    return composed


def _too_deep(text: str) -> int | None:
    """The line where nesting becomes deeper than `_MAX_DEPTH`; None if it never does."""
    # libyaml's binding composes by recursion in C and crashes the process where Python would raise; its events do not.
    depth = 0
    try:
        for event in yaml.parse(text, Loader=FAST_LOADER):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > _MAX_DEPTH:
                return event.start_mark.line + 1 if event.start_mark else 1
    except yaml.MarkedYAMLError as error:
        # libyaml reads ahead in what could be a key, and has a limit of its own. PyYAML's parser takes a second to
        # come to the same.
        if error.problem == _TOO_DEEP_FOR_LIBYAML and error.problem_mark:
            line: int = error.problem_mark.line + 1
            return line
    except yaml.YAMLError:
        pass  # `_compose` reports what is wrong
    return None


def _syntax_problem(error: yaml.YAMLError, text: str, file: str | None) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError):
        line = error.problem_mark.line + 1 if error.problem_mark else None
        words = ", ".join(part for part in (error.context, error.problem) if part)
        hint = next((hint for sign, hint in _SYNTAX_HINTS if sign in words), None)
        return Problem(message=f"not valid YAML: {words}", file=file, line=line, hint=hint)
    line = None
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
    return Problem(message=f"not valid YAML: {str(error).splitlines()[0]}", file=file, line=line)
