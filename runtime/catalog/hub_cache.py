"""Hugging Face's cache on this disk: where it is, which models are in it, and where the files of one are.

It is laid out as `models--ORG--NAME/snapshots/REVISION`, with `refs/main` naming the revision in use:
https://huggingface.co/docs/huggingface_hub/guides/manage-cache. Reads no weights.
"""

from __future__ import annotations

import os
from pathlib import Path

from runtime.errors import Unavailable


def hub_home() -> str:
    """The folder of Hugging Face's own library, in which it keeps its token too; a `~` in it is not expanded."""
    return os.environ.get("HF_HOME") or f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}/huggingface"


def cache_folder() -> Path:
    """The cache, as Hugging Face's own library finds it; it may not exist."""
    chosen = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or f"{hub_home()}/hub"
    return Path(os.path.expanduser(chosen))  # noqa: PTH111  # `Path.expanduser` raises where there is no home


def cached_models() -> dict[str, Path]:
    """The repositories with at least one file, by name, and their folders."""
    try:
        folders = sorted(cache_folder().glob("models--*"))
    except OSError:
        return {}
    return {_name_of(folder): folder for folder in folders if any((folder / "snapshots").glob("*/*"))}


def hub_snapshot(path: Path) -> tuple[str, Path] | None:
    """The repository's name and the folder with its files, for a path in a Hugging Face cache; None for any other.

    Raises Unavailable if the path does not say which model or snapshot.
    """
    for repository in (path, path.parent, path.parent.parent):
        if repository.name.startswith("models--") and (repository / "snapshots").is_dir():
            break
    else:
        inner = sorted(path.glob("models--*")) or sorted(path.glob("hub/models--*"))
        if inner and not any(path.glob("*.*")):  # a model's own folder may hold a cache beside its files
            raise Unavailable(
                f"`{path}` is a whole Hugging Face cache",
                hint=f"name one of its models: {', '.join(f'`{folder}`' for folder in inner[:5])}",
                code="weights_not_found",
            )
        return None
    if path not in (repository, repository / "snapshots") and not (path.is_dir() and path.parent.name == "snapshots"):
        return None
    name = _name_of(repository)
    if path.parent == repository / "snapshots":
        return name, path
    snapshots = sorted(folder for folder in (repository / "snapshots").iterdir() if folder.is_dir())
    main = repository / "refs" / "main"
    revision = main.read_text(encoding="utf-8", errors="replace").strip() if main.is_file() else None
    for folder in snapshots:
        if folder.name == revision or len(snapshots) == 1:
            return name, folder
    raise Unavailable(
        f"`{path}` contains {len(snapshots)} snapshots of `{name}`, but not the one that `refs/main` names",
        hint="give the path of one snapshot" if snapshots else f"download the model again: `hf download {name}`",
        code="weights_not_found",
    )


def _name_of(repository: Path) -> str:
    return "/".join(repository.name.split("--")[1:])
