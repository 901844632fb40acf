"""Resources as older run configs list them, brought to `registered_resources`."""

from __future__ import annotations

from runtime.config.document import Node
from runtime.config.reading import Reading

_TO_RESOURCES = {  # older top-level list -> kind of registered resource
    "models": "models",  # this and the following: until 0.2
    "shields": "shields",
    "vector_dbs": "vector_stores",
    "datasets": "datasets",
    "scoring_fns": "scoring_fns",
    "benchmarks": "benchmarks",
    "tool_groups": "tool_groups",
    "default_models": "models",  # early documents
}


def upgrade(reading: Reading) -> None:
    """Change the tree: every older list of resources is added to `registered_resources`."""
    _collect_resources(reading)
    _rename_vector_dbs(reading)


def _collect_resources(reading: Reading) -> None:
    for old, kind in _TO_RESOURCES.items():
        node = reading.top.pop(old, None)
        if node is None or reading.is_empty(node):
            continue
        if node.items is None:
            reading.problem("expected a list", node, hint=f"it belongs to `registered_resources.{kind}`")
            continue
        if old == "default_models":
            node.value = [_model_by_name(entry) for entry in node.items]
        if node.items:
            reading.warn(f"this is now `registered_resources.{kind}`", node)
        resources = reading.top.setdefault("registered_resources", Node({}, "registered_resources", node.line))
        if resources.value is None:
            resources.value = {}
        if resources.mapping is None:
            continue  # a problem that the model will name
        _append(resources.mapping, kind, node)


def _rename_vector_dbs(reading: Reading) -> None:
    """`registered_resources.vector_dbs`, as the first of the 0.3 versions had it."""
    resources = reading.top.get("registered_resources")
    older = resources.mapping.pop("vector_dbs", None) if resources and resources.mapping else None
    if resources and resources.mapping is not None and older and older.items:
        reading.warn("this is now `registered_resources.vector_stores`", older)
        _append(resources.mapping, "vector_stores", older)


def _append(resources: dict[str, Node], kind: str, more: Node) -> None:
    present = resources.setdefault(kind, Node([], more.path, more.line))
    if present.items is not None:
        present.value = [*present.items, *(more.items or [])]


def _model_by_name(node: Node) -> Node:
    return Node({"model_id": node}, node.path, node.line) if isinstance(node.value, str) else node
