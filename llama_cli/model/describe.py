"""Say everything that is known about a model."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from llama_cli.model._name import ModelId, ModelName, chosen
from llama_cli.options import Json, Quiet
from llama_cli.terminal import console, words

if TYPE_CHECKING:
    from llama_cli.weights.places import ModelOnDisk
    from runtime.catalog import CatalogModel

_ARCHITECTURE = (
    *("layers", "dim", "heads", "kv_heads", "ffn_dim", "vocab", "rope_theta", "rope_scaling", "tied_embeddings"),
    "arch_notes",
)
_FACTS = ("family", "params", "quantization", "context_length", "modalities", "sampling", "license", "release_date")


def command(model: ModelName = None, model_id: ModelId = None, json: Json = False, quiet: Quiet = False) -> None:
    """Say everything that is known about a model: its shape, its licence, what vendors call it, and where it is on
    this disk.

    With -q, only its folder.

    Examples:
      llama model describe Llama3.3-70B-Instruct
      llama model describe meta-llama/Llama-3.2-1B-Instruct --json
    """
    from llama_cli.weights.places import named, not_here, shipped_models
    from runtime.catalog import find

    name = chosen(model, model_id)
    known, here = find(name), named(name)
    provider = shipped_models().get(name)
    if not (known or here or provider):
        raise not_here(name)
    name = known.descriptor if known else here[0].name if here else name
    if json:
        console.document(_document(name, known, here, provider))
    elif quiet:
        for each in here:
            console.row(each.folder)
    else:
        for label, value in _lines(name, known, here, provider):
            console.out(f"{label:18} {value}".rstrip())
        if here and all(each.state == "incomplete" for each in here):
            console.hint(f"`{here[0].goes_on_with}` goes on")
        elif known and not here:
            console.hint(f"`llama model download {known.descriptor}`")


def _document(name: str, known: CatalogModel | None, here: list[ModelOnDisk], provider: str | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": name}
    for field in ("model_id", "hub_repo", *_FACTS, "notes"):
        facts[field] = (getattr(known, field) or None) if known else None
    facts["architecture"] = {field: getattr(known, field) or None for field in _ARCHITECTURE} if known else None
    facts["vendors"] = {vendor: asdict(each) for vendor, each in known.vendors.items()} if known else {}
    facts["shipped_with"] = provider
    facts["on_disk"] = [
        {
            "name": each.name,
            "state": each.state,
            "folder": str(each.folder),
            "size_bytes": each.size_bytes,
            "origin": each.manifest.origin if each.manifest else None,
            "revision": each.manifest.revision if each.manifest else None,
            "added_at": each.manifest.added_at if each.manifest else None,
            "files": [asdict(file) for file in each.manifest.files] if each.manifest else [],
        }
        for each in here
    ]
    return facts


def _lines(
    name: str, known: CatalogModel | None, here: list[ModelOnDisk], provider: str | None
) -> list[tuple[str, str]]:
    lines = [("name", name)]
    if provider:
        lines.append(("shipped", f"with each distribution that has `{provider}`"))
    if known:
        fields = ("model_id", "hub_repo", *_FACTS, *_ARCHITECTURE, "notes")
        stated = [(field, getattr(known, field)) for field in fields]
        lines += [(field.replace("_", " "), str(value)) for field, value in stated if value]
        for vendor, called in known.vendors.items():
            lines.append((f"at {vendor}", str(called)))
    for each in here:
        lines.append((each.state, f"{each.folder} ({words.size(each.size_bytes)})"))
        if each.manifest:
            revision = f", revision {each.manifest.revision}" if each.manifest.revision else ""
            lines.append(("from", f"{each.manifest.origin}{revision}, {each.manifest.added_at}"))
    return lines
