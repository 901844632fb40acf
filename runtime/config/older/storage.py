"""Converts the storage of older run configs to `storage.backends` and references to them."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.config.document import Node
from runtime.config.reading import Reading
from runtime.config.storage import backend_types

_TO_STORAGE = {  # older top-level store -> family, store
    "metadata_store": ("kv", "metadata"),  # this and the following: until 0.2
    "inference_store": ("sql", "inference"),
    "conversations_store": ("sql", "conversations"),
}
_OF_PROVIDERS = {"kvstore": "kv", "metadata_store": "sql"}
"""Stores in a provider's own config, and their families."""


def upgrade(reading: Reading) -> None:
    """Change the tree: older stores become backends and references to them."""
    _one_storage_type(reading)
    _collect_stores(reading)
    _collect_provider_stores(reading)
    _keep_the_registry_where_it_was(reading)
    _move_prompts_to_tables(reading)


def _one_storage_type(reading: Reading) -> None:
    """`storage: {type: sqlite, path: ...}` of early files: one database for everything."""
    storage = reading.top.get("storage")
    if storage is None or storage.mapping is None or "type" not in storage.mapping:
        return
    settings = dict(storage.mapping)
    backends = {f"{family}_default": _backend(family, settings, storage) for family in ("kv", "sql")}
    if settings["type"].value == "memory":
        del backends["sql_default"]  # there are no tables in memory; the default file is used
    reading.warn("this is now `storage.backends`, in which each backend has its own type", storage)
    storage.value = {"backends": Node(dict(backends), storage.path, storage.line)}


def _collect_stores(reading: Reading) -> None:
    for old, (family, store) in _TO_STORAGE.items():
        node = reading.top.pop(old, None)
        if node is None or reading.is_empty(node):
            continue
        if node.mapping is None:
            reading.problem("expected a mapping with `type`", node, hint=f"it belongs to `storage.stores.{store}`")
            continue
        name = f"{family}_{store}"
        _add_backend(reading, name, _backend(family, node.mapping, node))
        stores = _section(reading, "storage", "stores", node)
        reading.warn(f"this is now `storage.stores.{store}` with a backend", node)
        if stores is None or store in stores:
            continue
        # The older store's namespace stays in its backend, so that the same keys are found.
        about = {"namespace": "registry"} if family == "kv" else {"table_name": f"{store}_store"}
        values = {"backend": name, **about}
        stores[store] = Node(
            {key: Node(value, node.path, node.line) for key, value in values.items()}, node.path, node.line
        )


def _collect_provider_stores(reading: Reading) -> None:
    """`config.kvstore: {type: sqlite, db_path: ...}` of a provider (until 0.2) -> a backend and a reference to it. So
    too the `metadata_store` of files.
    """
    providers = reading.top.get("providers")
    for api, entries in (providers.mapping or {}).items() if providers else ():
        for entry in entries.items or []:
            for key, family in _OF_PROVIDERS.items():
                store = entry.get("config", key)
                if store is None or store.mapping is None or "type" not in store.mapping:
                    continue
                if not reading.is_off(entry.get("provider_id")):
                    _collect_provider_store(reading, api, entry, store, family)


def _collect_provider_store(reading: Reading, api: str, entry: Node, store: Node, family: str) -> None:
    kind = entry.get("provider_type")
    short = str(kind.plain()).rsplit("::", 1)[-1] if kind else "provider"
    name = f"{family}_{api}_{short}"
    _keep_a_backend_for_the_rest(reading, store, family)
    _add_backend(reading, name, _backend(family, store.mapping or {}, store))
    reading.warn("this is now a backend in `storage.backends` and a reference to it", store)
    part = {"namespace": f"{api}::{short}"} if family == "kv" else {"table_name": f"{api}_metadata"}
    reference = {"backend": name, **part}
    store.value = {key: Node(value, store.path, store.line) for key, value in reference.items()}


def _keep_the_registry_where_it_was(reading: Reading) -> None:
    """A `metadata` store without a namespace used the empty one, so its keys are still there."""
    metadata = (reading.root.get("storage", "stores", "metadata") or Node(None)).mapping
    if metadata is not None and (metadata.get("namespace") or Node(None)).value is None:
        at = metadata.get("backend") or Node(None)
        metadata["namespace"] = Node("", at.path, at.line)


def _move_prompts_to_tables(reading: Reading) -> None:
    """Prompts were keys and values until 0.8, and are rows of tables now."""
    stores = (reading.root.get("storage", "stores") or Node(None)).mapping or {}
    place = stores.get("prompts")
    backend = place.get("backend") if place else None
    if place and backend and backend_types(reading.top["storage"]).get(str(backend.plain()), "").startswith("kv_"):
        del stores["prompts"]
        words = f"prompts are in tables now, in the default backend for them; those in `{backend.plain()}` are not read"
        reading.warn(words, place)


def _keep_a_backend_for_the_rest(reading: Reading, at: Node, family: str) -> None:
    """Add a default backend: otherwise stores that the file does not place would go to a provider's backend."""
    backends = _section(reading, "storage", "backends", at) or {}
    kinds = [node.get("type") for node in backends.values()]
    if not any(kind and str(kind.plain()).startswith(f"{family}_") for kind in kinds):
        default = Node({"type": Node(f"{family}_sqlite", at.path, at.line)}, at.path, at.line)
        _add_backend(reading, f"{family}_default", default)


def _backend(family: str, settings: Mapping[str, Node], at: Node) -> Node:
    """An older store's settings as a backend of `family`."""
    kept = {
        ("db_path" if key == "path" else key): node
        for key, node in settings.items()
        if key not in ("type", "table_name")
    }
    kind = settings.get("type") or Node("sqlite", at.path, at.line)
    written = str(kind.plain())
    typed = written if written.startswith(("kv_", "sql_", "${")) else f"{family}_{written}"
    if family == "sql":
        kept.pop("namespace", None)
    return Node({"type": Node(typed, kind.path, kind.line), **kept}, at.path, at.line)


def _add_backend(reading: Reading, name: str, backend: Node) -> None:
    backends = _section(reading, "storage", "backends", backend)
    if backends is not None:
        backends.setdefault(name, backend)


def _section(reading: Reading, outer: str, inner: str, at: Node) -> dict[str, Node] | None:
    """The mapping `outer.inner`, made if it is missing; None if there is something else."""
    mapping: dict[str, Node] | None = reading.top
    for key in (outer, inner):
        if mapping is None:
            return None
        node = mapping.setdefault(key, Node({}, at.path, at.line))
        if node.value is None:
            node.value = {}
        mapping = node.mapping
    return mapping
