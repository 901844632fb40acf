"""Which functions there are: the entry points of installed packages. Imports none of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata

GROUP = "llama_stack.scoring_functions"


@dataclass(frozen=True, kw_only=True)
class Found:
    """name: as it is served. package: whose it is. reference: `module:function`."""

    name: str
    package: str
    reference: str


def found_functions() -> Mapping[str, Found]:
    """By name; of several with one name, that of the package that comes first in the alphabet."""
    points = [
        Found(name=point.name, package=point.dist.name if point.dist else point.module, reference=point.value)
        for point in metadata.entry_points(group=GROUP)
    ]
    return {one.name: one for one in sorted(points, key=lambda one: (one.package, one.reference), reverse=True)}
