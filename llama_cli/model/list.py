"""List models: those on this disk, and those of Meta."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_cli.options import Json, Quiet, Wide
from llama_cli.terminal import words
from llama_cli.terminal.tables import Column, listing

if TYPE_CHECKING:
    from llama_cli.weights.places import ModelOnDisk
    from runtime.catalog import CatalogModel


def command(
    all_: Annotated[bool, typer.Option("--all", "--show-all", help="Older families too: Llama 2 and Llama 3.")] = False,
    downloaded: Annotated[bool, typer.Option("--downloaded", help="Only what is on this disk.")] = False,
    search: Annotated[
        str | None, typer.Option("--search", metavar="TEXT", help="Only models with this in a name.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    wide: Wide = False,
) -> None:
    """List models: those on this disk, with what they take there, then those that Meta has released.

    `shipped` comes with a distribution; `cached` lies in Hugging Face's cache; `incomplete` is a download that the same
    command goes on with; `available` can be downloaded.

    Examples:
      llama model list
      llama model list --downloaded
      llama model list --all --search vision
    """
    rows = _rows()
    if downloaded:
        rows = [row for row in rows if row["state"] not in ("available", "shipped")]
    elif not all_ and search is None:
        rows = [row for row in rows if row["is_current"] or row["state"] != "available"]
    if search is not None:
        wanted = search.lower()
        rows = [row for row in rows if any(wanted in str(row[name] or "").lower() for name in ("name", "hub_repo"))]
    columns = [
        Column("name", "Model"),
        Column("state", "State"),
        Column("params", "Params", show=lambda params: params.partition(" ")[0], spare=1),
        Column("context_length", "Context", show=context, spare=1),
        Column("size_bytes", "On disk", show=words.size, spare=1),
        Column("hub_repo", "Repository", spare=1),
        Column("folder", "Folder", spare=1),
    ]
    empty = "no model is like that" if search is not None else "no model is on this disk"
    listing(rows, columns, name="name", wide=wide, empty=empty)


def context(tokens: int) -> str:
    """`131072` -> `128K`."""
    for unit, size in (("M", 2**20), ("K", 2**10)):
        if tokens >= size and tokens % size == 0:
            return f"{tokens // size}{unit}"
    return str(tokens)


def _rows() -> list[dict[str, Any]]:
    """What is here, and what comes with us; then what else there is, in the catalog's order."""
    from llama_cli.weights.places import models_on_disk, shipped_models
    from runtime.catalog import find, models

    here = [(each, find(each.name) or find(each.model_id)) for each in models_on_disk()]
    rows = [_row(each.name, each.state, known=known, here=each) for each, known in here]
    rows += [_row(name, "shipped") for name in shipped_models()]
    on_disk = [known for _, known in here]
    return rows + [_row(known.descriptor, "available", known=known) for known in models() if known not in on_disk]


def _row(
    name: str, state: str, *, known: CatalogModel | None = None, here: ModelOnDisk | None = None
) -> dict[str, Any]:
    model_id = known.model_id if known else here.model_id if here else ""
    return {
        "name": name,
        "state": state,
        "model_id": model_id or None,
        "hub_repo": known.hub_repo if known else model_id or None,
        "family": known.family if known else None,
        "params": known.params if known else None,
        "context_length": known.context_length if known else None,
        "size_bytes": here.size_bytes if here else None,
        "folder": str(here.folder) if here else None,
        "is_current": bool(known and known.is_current),
    }
