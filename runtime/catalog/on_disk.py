"""Finds a model that was downloaded or imported: each is a folder below the one for models, named or known in several
ways.

Knows names of folders, and of their manifests the repository. Reads no weights, and writes nothing.
"""

from __future__ import annotations

import json
from pathlib import Path

from runtime.catalog import find

MANIFEST = ".llama-model.json"
"""In a model's folder: where it came from, and the checksums of its files."""


def stored_folders(models_dir: Path) -> list[Path]:
    """The folders of all models, by name. What is not whole yet is in a hidden folder, and is none of them."""
    try:
        entries = sorted(models_dir.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [entry for entry in entries if not entry.name.startswith(".") and entry.is_dir()]


def stored_folder(models_dir: Path, name: str) -> Path | None:
    """The folder of a model, by its own name, any name of the catalog, or the repository that it came from."""
    folders = stored_folders(models_dir)
    known = find(name)
    wanted = [name.lower(), *(other.lower() for other in (known.names if known else ()))]
    by_name = {folder.name.lower(): folder for folder in reversed(folders)}
    found = next((by_name[each] for each in wanted if each in by_name), None)
    if found is not None or "/" not in name:
        return found
    return next((folder for folder in folders if _repository(folder).lower() == name.lower()), None)


def _repository(folder: Path) -> str:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return str(manifest["model_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
