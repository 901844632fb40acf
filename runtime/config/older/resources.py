"""Moves the resources of older run configs to `registered_resources`, under today's names.

Each API declares the older names of its kind.
"""

from __future__ import annotations

from runtime.apis._resources import ConfiguredKind
from runtime.config.document import Node
from runtime.config.reading import Reading
from runtime.config.run_config import RunFile
from runtime.discovery import World


def upgrade(reading: Reading) -> None:
    """Change the tree: every older list of resources is added to `registered_resources`."""
    declared = _declared(reading.world)
    lists = _lists_of(declared)
    for older, key in lists.items():
        if older not in RunFile.model_fields:  # today, `vector_stores` at the top is a section
            _move_from_the_top(reading, older, key, declared[key])
    for older, key in lists.items():
        if older != key:
            _rename(reading, older, key)
    for key, resource in declared.items():
        _rename_ids(reading, key, resource)


def _declared(world: World) -> dict[str, ConfiguredKind]:
    """The resources of the existing APIs, by the name of their list in the run config."""
    apis = [world.load_api(name) for name in world.api_names]
    return {kind.config_key: kind for api in apis if (kind := api.configured) is not None}


def _lists_of(declared: dict[str, ConfiguredKind]) -> dict[str, str]:
    return {older: key for key, resource in declared.items() for older in (key, *resource.older_keys)}


def _move_from_the_top(reading: Reading, older: str, key: str, resource: ConfiguredKind) -> None:
    node = reading.top.pop(older, None)
    if node is None or reading.is_empty(node):
        return
    if node.items is None:
        reading.problem("expected a list", node, hint=f"it belongs to `registered_resources.{key}`")
        return
    node.value = [_by_name(entry, resource.id_field) for entry in node.items]
    if node.items and not resource.at_top:
        reading.warn(f"this is now `registered_resources.{key}`", node)
    resources = reading.top.setdefault("registered_resources", Node({}, "registered_resources", node.line))
    if resources.value is None:
        resources.value = {}
    if resources.mapping is not None:  # otherwise the model reports it
        _append(resources.mapping, key, node)


def _by_name(node: Node, id_field: str) -> Node:
    """Early files list only names."""
    return Node({id_field: node}, node.path, node.line) if isinstance(node.value, str) else node


def _rename(reading: Reading, older: str, key: str) -> None:
    """`registered_resources.vector_dbs`, as in the first 0.3 versions."""
    resources = reading.top.get("registered_resources")
    node = resources.mapping.pop(older, None) if resources and resources.mapping else None
    if resources is None or resources.mapping is None or node is None or node.value is None:
        return
    if node.items is None:
        reading.problem("expected a list", node, hint=f"it is now `registered_resources.{key}`")
    elif node.items:
        reading.warn(f"this is now `registered_resources.{key}`", node)
        _append(resources.mapping, key, node)


def _append(resources: dict[str, Node], key: str, more: Node) -> None:
    present = resources.setdefault(key, Node([], more.path, more.line))
    if present.value is None:
        present.value = []
    if present.items is not None:
        present.value = [*present.items, *(more.items or [])]


def _rename_ids(reading: Reading, key: str, resource: ConfiguredKind) -> None:
    """`vector_db_id` and `provider_vector_db_id` of older files -> the field names of `resource`."""
    entries = reading.top["registered_resources"].get(key) if "registered_resources" in reading.top else None
    for entry in (entries.items if entries else None) or ():
        for older in resource.older_id_fields:
            for old, new in ((older, resource.id_field), (f"provider_{older}", resource.provider_id_field)):
                node = (entry.mapping or {}).get(old)
                if node is None or entry.mapping is None:
                    continue
                if new in entry.mapping:
                    both = f"`{old}` is the older name of `{new}`, and both are given"
                    reading.problem(both, node, hint=f"remove `{old}`")
                    continue
                entry.mapping[new] = entry.mapping.pop(old)
                reading.warn(f"this is now called `{new}`", node)
