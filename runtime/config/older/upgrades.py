"""Converts a run config of any older version to the newest shape, before anything else reads it.

Knows the older names and places of settings; not what any value means today.
"""

from __future__ import annotations

from collections.abc import Callable

from runtime.config.older import providers, resources, storage
from runtime.config.reading import Reading

_RENAMED = {  # older key -> key
    "image_name": "distro_name",  # until 0.3
    "docker_image": "container_image",  # until 0.1
    "vector_stores_config": "vector_stores",  # early documents
    "logging_config": "logging",  # the key that every server until 1.5 really read
}
_WITHOUT_EFFECT = {
    "built_at": "a server does not use it",  # until 0.1
    "conda_env": "environments are made by `llama stack build`",
    "image_type": "environments are made by `llama stack build`",
}
_BEFORE_VERSION_1 = ("routing_table", "api_providers", "apis_to_serve", "provider_map")


def _refuse_before_version_1(reading: Reading) -> None:
    found = [reading.top.pop(key) for key in _BEFORE_VERSION_1 if key in reading.top]
    if found:
        reading.problem(
            "this file is from before version 1 and cannot be read",
            found[0],
            hint="list its providers under `providers`, by API; `llama stack build` renders an example",
        )


def _rename(reading: Reading) -> None:
    for old, new in _RENAMED.items():
        node = reading.top.pop(old, None)
        if node is None:
            continue
        if new in reading.top:
            reading.problem(f"`{old}` is the older name of `{new}`, and both are given", node, hint=f"remove `{old}`")
        else:
            reading.top[new] = node
            reading.warn(f"this is now called `{new}`", node)


def _drop_what_has_no_effect(reading: Reading) -> None:
    for key, reason in _WITHOUT_EFFECT.items():
        node = reading.top.pop(key, None)
        if node is not None and not reading.is_empty(node):
            reading.warn(f"has no effect: {reason}", node)


def _mount_all(reading: Reading) -> None:
    """An empty `apis` meant all of them until 0.8."""
    apis = reading.top.get("apis")
    if apis is not None and apis.value == []:
        del reading.top["apis"]
        reading.warn("an empty list mounts every API; leave the key out to say so", apis)


_UPGRADES: tuple[Callable[[Reading], None], ...] = (
    _refuse_before_version_1,
    _rename,
    _drop_what_has_no_effect,
    _mount_all,
    resources.upgrade,
    providers.upgrade,
    storage.upgrade,
)
"""Every conversion, in the order in which they are applied."""


def upgrade(reading: Reading) -> None:
    """Change the tree to the newest shape, with a warning for everything that is now written differently."""
    for one in _UPGRADES:
        one(reading)
