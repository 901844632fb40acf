"""The specs of all providers that are known here: those that are built in, and those that built distributions have from
outside.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Mapping
from typing import Any, NamedTuple

from runtime.config.home import EXTERNAL, distributions_dir
from runtime.discovery import built_in
from runtime.errors import StackError
from runtime.spec import Spec


class KnownSpec(NamedTuple):
    """distributions: those that have it from outside; none for one that is built in. settings: the JSON Schema of its
    config, where it is not here.
    """

    spec: Spec
    distributions: tuple[str, ...] = ()
    settings: Mapping[str, Any] | None = None


def every_spec() -> list[KnownSpec]:
    """Sorted by API and type. Imports nothing but specs where no distribution has an external provider."""
    found = {(spec.api, spec.provider_type, ""): KnownSpec(spec) for spec in built_in().specs}
    for name, specs, _ in _remembered():
        for spec, settings in specs:
            key = (spec.api, spec.provider_type, spec.package)
            before = found[key].distributions if key in found else ()
            found[key] = KnownSpec(spec, (*before, name), settings)
    return [found[key] for key in sorted(found)]


def external_apis(built_in: Container[str]) -> dict[str, tuple[int, list[str]]]:
    """The APIs that only distributions have: how many providers each has, and the names of those distributions."""
    found: dict[str, tuple[int, list[str]]] = {}
    for spec, distributions, _ in every_spec():
        if distributions and spec.api not in built_in:
            count, names = found.get(spec.api, (0, []))
            found[spec.api] = count + 1, sorted({*names, *distributions})
    return found


def external_notes() -> list[str]:
    """What was to be said of external packages when their distributions were built, each with its distribution."""
    return [f"`{name}`: {note}" for name, _, notes in _remembered() for note in notes]


def _remembered() -> Iterable[tuple[str, list[tuple[Spec, Mapping[str, Any]]], tuple[str, ...]]]:
    try:
        has_any = any(distributions_dir().glob(f"*/{EXTERNAL}"))
    except (OSError, StackError):  # no home, or one that is closed to us
        has_any = False
    if not has_any:
        return
    from llama_cli.packages.known import of_distributions  # not above: reads what a listing has no need of

    for name, remembered in of_distributions(os.environ).items():
        specs = list(zip(remembered.specs, remembered.settings, strict=True))
        yield name, specs, tuple(note.message for note in remembered.notes)
