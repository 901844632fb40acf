"""Checks that every store is placed in a backend that exists and can hold it. Pure: returns problems, opens nothing.

Knows references and the types of backends; not which stores and providers exist.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from runtime.apis._api import Family, Store
from runtime.config.document import Key, Node, child_path
from runtime.errors import Problem
from runtime.similar import nearest, suggestion
from runtime.storage.backends import BACKENDS
from runtime.storage.placement import Reference, StorageConfig, with_defaults

_OF_OTHER_FAMILY: Mapping[Family, tuple[str, ...]] = {
    "kv": ("table_name", "enabled", "max_write_queue_size", "num_writers"),
    "sql": ("namespace",),
}
"""Settings of stores that no backend of a family knows."""
_PART: Mapping[Family, str] = {"kv": "namespace", "sql": "table_name"}
"""The setting that says which part of a backend of a family is meant."""


def backend_types(storage: Node | None) -> dict[str, str]:
    """The types of the backends of the section `storage`, by name, also of those that it leaves out; "" for none. Works
    also if other parts of it are wrong.
    """
    backends = storage.get("backends") if storage else None
    named = {name: node.get("type") for name, node in (backends.mapping or {}).items()} if backends else {}
    return with_defaults({name: str(kind.value) if kind else "" for name, kind in named.items()})


def unknown_backends(storage: Node | None, *, file: str | None) -> Iterator[Problem]:
    """Stores of the section `storage` whose backend does not exist. Works also if other parts of it are wrong."""
    types = backend_types(storage)
    stores = storage.get("stores") if storage else None
    for store in (stores.mapping or {}).values() if stores else ():
        node = store.get("backend")
        if node is not None and node.text and node.text not in types:
            yield _unknown(node.text, types, path=node.path, line=node.line, file=file)


def without_effect(storage: Node | None, config: StorageConfig) -> Iterator[tuple[Node, str]]:
    """Settings of stores that change nothing in the backend where they are, each with a sentence that says why."""
    types = config.types()
    for name, place in config.stores.items():
        node = storage.get("stores", name) if storage else None
        if place.backend not in types:  # a build does not know it yet
            continue
        kind = BACKENDS[types[place.backend]]
        reasons = dict.fromkeys(_OF_OTHER_FAMILY[kind.family], f"`{place.backend}` is a `{kind.family}_` backend")
        if not kind.parallel_writes:
            reasons.setdefault("num_writers", f"`{types[place.backend]}` has one writer")
        for setting, reason in reasons.items():
            found = node.get(setting) if node else None
            if found is not None and getattr(place, setting) is not None:
                yield found, f"this has no effect here: {reason}"


def unknown_kinds(
    storage: StorageConfig, known: Collection[str], lines: Mapping[str, int], *, file: str | None
) -> Iterator[Problem]:
    """Entries of `storage.retention` that are no kind of what is kept. known: all that age."""
    for kind in storage.retention:
        if kind not in known:
            path = f"storage.retention.{kind}"
            hint = suggestion(nearest(kind, [*known]) or sorted(known))
            message = f"nothing that is kept is called `{kind}`, or it does not age"
            yield Problem(message=message, path=path, line=lines.get(path), file=file, hint=hint)


def unfit_backends(
    stores: Iterable[Store], storage: StorageConfig, lines: Mapping[str, int], *, file: str | None
) -> Iterator[Problem]:
    """Stores that are placed in a backend of the wrong family (keys and values, or tables)."""
    types = storage.types()
    for store in stores:
        given = storage.stores.get(store.name)
        if given is not None and given.backend in types:
            path = f"storage.stores.{store.name}.backend"
            yield from _unfit(
                given.backend, store.families, types, what=f"the store `{store.name}`", path=path, line=lines.get(path),
                file=file,
            )  # fmt: skip


class OwnPlaces:
    """Finds those that are placed where another one is: each would take what the other keeps for its own."""

    def __init__(self, storage: StorageConfig, *, file: str | None) -> None:
        self._storage = storage
        self._types = storage.types()
        self._file = file
        self._there: dict[tuple[str, str], str] = {}

    def of_stores(self, stores: Iterable[Store], lines: Mapping[str, int]) -> Iterator[Problem]:
        """The stores of the stack; asked before the providers' own references."""
        placed = self._storage.stores
        for store in sorted(stores, key=lambda store: store.name in placed):  # so that the file has what is named
            place = self._storage.place_of(store)
            if place.backend in self._types:
                setting = _PART[BACKENDS[self._types[place.backend]].family]
                path = f"storage.stores.{store.name}"
                where = (place.backend, getattr(place, setting))
                yield from self._taken(where, setting, f"the store `{store.name}`", path, lines.get(path))

    def of_provider(self, config: BaseModel, node: Node) -> Iterator[Problem]:
        """The references in a provider's config. node: the config as in the file."""
        for steps, reference in references_in(config):
            setting = _PART[reference.family]
            at, _ = node.locate(steps)
            path = node.path
            for step in steps:
                path = child_path(path, step)
            where = (reference.backend, getattr(reference, setting))
            yield from self._taken(where, setting, f"`{path}`", path, at.line)

    def _taken(self, where: tuple[str, str], setting: str, what: str, path: str, line: int | None) -> Iterator[Problem]:
        first = self._there.setdefault(where, what)
        if first != what:
            message = f"{first} is at this place already"
            hint = f"give one of them another `{setting}`"
            yield Problem(message=message, path=path, line=line, file=self._file, hint=hint)


def misplaced_in(config: BaseModel, node: Node, storage: StorageConfig, *, file: str | None) -> Iterator[Problem]:
    """References in a provider's config, at any depth, whose backend does not exist or is of the wrong family.

    node: the config as in the file.
    """
    types = storage.types()
    for steps, reference in references_in(config):
        at, found = node.locate([*steps, "backend"])
        if at.awaits:
            continue
        path = at.path
        for step in [*steps, "backend"][len(found) :]:  # a default, which is not in the file
            path = child_path(path, step)
        if reference.backend not in types:
            yield _unknown(reference.backend, types, path=path, line=at.line, file=file)
        else:
            yield from _unfit(
                reference.backend, (reference.family,), types, what="it", path=path, line=at.line, file=file
            )


def references_in(value: Any, steps: tuple[Key, ...] = ()) -> Iterator[tuple[tuple[Key, ...], Reference]]:
    """Every reference in a config, also inside models, lists and mappings, with the steps that lead to it."""
    if isinstance(value, Reference):
        yield steps, value
    elif isinstance(value, BaseModel):
        for name, inner in value:
            yield from references_in(inner, (*steps, name))
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from references_in(inner, (*steps, str(name)))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from references_in(inner, (*steps, index))


def _unknown(backend: str, types: Collection[str], *, path: str, line: int | None, file: str | None) -> Problem:
    hint = suggestion(nearest(backend, list(types)) or list(types))
    return Problem(message=f"there is no backend `{backend}`", path=path, line=line, file=file, hint=hint)


def _unfit(
    backend: str, families: tuple[Family, ...], types: Mapping[str, str], *, what: str, path: str, line: int | None,
    file: str | None,
) -> Iterator[Problem]:  # fmt: skip
    if BACKENDS[types[backend]].family in families:
        return
    fitting = [f"`{name}`" for name, kind in types.items() if BACKENDS[kind].family == families[0]]
    message = f"{what} needs a `{families[0]}_` backend, `{backend}` is `{types[backend]}`"
    yield Problem(message=message, path=path, line=line, file=file, hint=f"there is {' and '.join(fitting)}")
