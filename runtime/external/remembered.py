"""What the external packages of a distribution bring, as its own interpreter has said it: kept beside its lock, so that
the command line, which cannot import them, knows their providers.

    distributions/<name>/providers.json   {"named": ..., "python": ..., "apis": [...], "notes": [...], "specs": [...]}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from runtime import discovery
from runtime.config.external import External
from runtime.config.home import EXTERNAL, atomic_write
from runtime.config.provider_settings import config_model
from runtime.discovery import World
from runtime.errors import Problem
from runtime.external.standing_in import is_refused, unchecked
from runtime.spec import Evidence, Instead, Moved, NoEffect, Spec

_OLDER = {kind.__name__: kind for kind in (Moved, NoEffect, Instead)}


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """specs, apis: of what is external; any config will do for them. settings: of each spec, the JSON Schema of its
    config. notes: what was to be said of it. named: the digest of what the run config named then; python: the
    interpreter that was asked.
    """

    named: str
    python: str
    specs: tuple[Spec, ...] = ()
    settings: tuple[Mapping[str, Any], ...] = ()
    apis: tuple[str, ...] = ()
    notes: tuple[Problem, ...] = ()


def fingerprint(named: External) -> str:
    """A digest of what a run config names, and of the files in the folders that it names."""
    modules = sorted([one.api, one.provider_type, one.module] for one in named.providers)
    files = [
        [str(file), file.read_text(encoding="utf-8", errors="replace")]
        for folder in (named.providers_dir, named.apis_dir)
        for file in (sorted(folder.rglob("*.y*ml")) if folder else ())
        if file.is_file()
    ]
    return hashlib.sha256(json.dumps([modules, sorted(named.packages), files]).encode()).hexdigest()[:16]


def document(world: World) -> dict[str, Any]:
    """What is external in a world, as JSON."""
    built_in = discovery.built_in()
    return {
        "apis": sorted({*world.api_names} - {*built_in.api_names}),
        "notes": [asdict(note) for note in world.notes],
        "specs": [stated_of(spec) | {"settings": _settings(spec)} for spec in world.more if spec not in built_in.more],
    }


def remembered(stated: Mapping[str, Any], *, named: str, python: str) -> Remembered:
    """From what `document` made. Raises KeyError, TypeError or ValueError for anything else."""
    return Remembered(
        named=named,
        python=python,
        specs=tuple(map(_spec, stated["specs"])),
        settings=tuple(dict(one["settings"]) for one in stated["specs"]),
        apis=tuple(map(str, stated["apis"])),
        notes=tuple(Problem(**note | {"line": None}) for note in stated["notes"]),
    )


def read(folder: Path) -> Remembered | None:
    """What a distribution's folder has of it; None where there is nothing, or what another version of ours wrote."""
    try:
        stated = json.loads((folder / EXTERNAL).read_text(encoding="utf-8"))
        return remembered(stated, named=str(stated["named"]), python=str(stated["python"]))
    except (OSError, KeyError, TypeError, ValueError, AttributeError):
        return None


def write(folder: Path, stated: Mapping[str, Any], *, named: str, python: str) -> None:
    """Keep what `document` made. Raises OSError."""
    atomic_write(folder / EXTERNAL, json.dumps({"named": named, "python": python, **stated}, indent=1) + "\n")


def stated_of(spec: Spec) -> dict[str, Any]:
    """A spec as it is kept, without `facts`, which are for the adapter; but for the reason of one that is refused."""
    stated = {field.name: getattr(spec, field.name) for field in fields(spec)}
    return stated | {
        "capabilities": sorted(spec.capabilities),
        "sample_config": dict(spec.sample_config),
        "evidence": asdict(spec.evidence),
        "older": {name: {"is": type(became).__name__, **asdict(became)} for name, became in spec.older.items()},
        "facts": spec.facts if is_refused(spec) else None,
    }


def _settings(spec: Spec) -> dict[str, Any]:
    """Empty for a model that has no schema: it is only for people."""
    try:
        schema = config_model(spec).model_json_schema(mode="validation")
        json.dumps(schema)
    except Exception:
        return {}
    return schema


def _spec(stated: Mapping[str, Any]) -> Spec:
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in stated.items() if name != "settings"
    }
    older = {}
    for name, became in stated["older"].items():
        kind = _OLDER[became["is"]]
        older[name] = kind(**{key: value for key, value in became.items() if key != "is"})
    made: dict[str, Any] = {"capabilities": frozenset(stated["capabilities"]), "older": older}
    return unchecked(Spec(**(given | made | {"evidence": Evidence(**stated["evidence"])})))
