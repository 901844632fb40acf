"""Moves settings of providers of older run configs to where they are today, or says why they have no effect.

What became of a setting is said by the provider's spec (`Spec.older`).
"""

from __future__ import annotations

from collections.abc import Mapping

from runtime.config.document import Node
from runtime.config.reading import Reading
from runtime.spec import Instead, Moved, NoEffect

Older = Moved | NoEffect | Instead
_KEPT_ABOVE = NoEffect(
    "what is known about vector stores is kept in `storage.stores`, and vectors by the database itself"
)
_OF_API = {
    "vector_io": dict.fromkeys(("kvstore", "persistence", "metadata_store"), _KEPT_ABOVE)  # until 0.2
}
"""Settings that every provider of an API once had."""


def upgrade(reading: Reading) -> None:
    """Change the tree: every older setting of a provider that is on is moved or removed, with a warning. Also of one
    whose `config` is a section of its own.
    """
    providers, world = reading.top.get("providers"), reading.world
    by_type = world.by_type if providers else {}
    for api, entries in (providers.mapping or {}).items() if providers else ():
        for entry in entries.items or []:
            config, kind = entry.get("config"), entry.get("provider_type")
            if config is None or config.mapping is None or kind is None or reading.is_off(entry.get("provider_id")):
                continue
            spec = by_type.get((api, str(kind.value)))
            older = {**_OF_API.get(api, {}), **(spec.older if spec else {})}
            _upgrade_all(reading, config, older)
    for spec in world.specs:
        if spec.section and (section := reading.top.get(spec.section)) is not None:
            _upgrade_all(reading, section, spec.older)


def _upgrade_all(reading: Reading, config: Node, older: Mapping[str, Older]) -> None:
    for name, became in older.items():
        if (node := _taken_out(config, name.split("."))) is not None:
            _upgrade(reading, config, node, became)


def _taken_out(config: Node, place: list[str]) -> Node | None:
    """What `place` leads to below `config`, which has it no more, nor what held nothing else; None where there is
    nothing.
    """
    *above, name = place
    holder = config.get(*above) if above else config
    found = None if holder is None or holder.mapping is None else holder.mapping.pop(name, None)
    if found is not None and above and holder is not None and not holder.mapping:
        _taken_out(config, above)
    return found


def _upgrade(reading: Reading, config: Node, node: Node, became: Older) -> None:
    if isinstance(became, NoEffect):
        reading.warn(f"has no effect: {became.why}", node)
    elif isinstance(became, Instead):
        if reading.is_empty(config.get(became.setting)):
            reading.problem(became.why, node, hint=became.hint)
    elif not reading.is_empty(node):
        reading.warn(f"this is now `{became.to}`", node)
        _put(config, became.to.split("."), Node([node], node.path, node.line) if became.in_list else node)


def _put(config: Node, place: list[str], node: Node) -> None:
    """Set what `place` leads to below `config`, unless it is there."""
    for key in place[:-1]:
        if config.mapping is None:  # otherwise the model reports it
            return
        config = config.mapping.setdefault(key, Node({}, node.path, node.line))
        config.value = {} if config.value is None else config.value
    if config.mapping is not None:
        config.mapping.setdefault(place[-1], node)
