"""The specs of all providers that are known here: those that are built in, and those that built distributions have from
outside.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from runtime.config.home import EXTERNAL, distributions_dir
from runtime.discovery import built_in
from runtime.errors import StackError
from runtime.spec import Spec


def every_spec() -> list[tuple[Spec, tuple[str, ...]]]:
    """Each with the names of the distributions that it is external to; none for one that is built in. Sorted by API and
    type. Imports nothing but specs where no distribution has an external provider.
    """
    found: dict[tuple[str, str, str], tuple[Spec, tuple[str, ...]]] = {
        (spec.api, spec.provider_type, ""): (spec, ()) for spec in built_in().specs
    }
    for name, specs, _ in _remembered():
        for spec in specs:
            key = (spec.api, spec.provider_type, spec.package)
            found[key] = (spec, (*found.get(key, (spec, ()))[1], name))
    return [found[key] for key in sorted(found)]


def external_notes() -> list[str]:
    """What was to be said of external packages when their distributions were built, each with its distribution."""
    return [f"`{name}`: {note}" for name, _, notes in _remembered() for note in notes]


def _remembered() -> Iterable[tuple[str, tuple[Spec, ...], tuple[str, ...]]]:
    try:
        has_any = any(distributions_dir().glob(f"*/{EXTERNAL}"))
    except (OSError, StackError):  # no home, or one that is closed to us
        has_any = False
    if not has_any:
        return
    from llama_cli.packages.known import of_distributions  # not above: reads what a listing has no need of

    for name, remembered in of_distributions(os.environ).items():
        yield name, remembered.specs, tuple(note.message for note in remembered.notes)
