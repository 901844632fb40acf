"""The Llama models that Meta has released, as data, and how a prompt for each is written.

`models.tsv` has a row a checkpoint, with what vendors call it, and `vendors.tsv` says where these names are from. Both
are read when they are first asked for. Imports only the standard library and
`runtime.errors`, since listings and completion import it. Knows no model on this disk: `on_disk.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from pathlib import Path

from runtime.errors import NotFound
from runtime.similar import did_you_mean

_FOLDER = Path(__file__).parent
_OLDER_FAMILIES = ("llama2", "llama3")


@dataclass(frozen=True, kw_only=True)
class VendorName:
    """What a vendor calls a model. remark: what is known about it there, such as `retired 2026-03-06`."""

    name: str
    remark: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.remark})" if self.remark else self.name


@dataclass(frozen=True, kw_only=True)
class NamesFrom:
    """Where a vendor's names of models are from. seen: the day on which they were read, as in `2026-11-25`."""

    vendor: str
    source: str
    seen: str


@dataclass(frozen=True, kw_only=True)
class CatalogModel:
    """One checkpoint. A text is empty, and a length None, where nobody has said.

    model_id: the canonical id, which several checkpoints of the same weights share. descriptor: unique, as Meta's own
    tools write it. hub_repo: on Hugging Face. meta_folder: on Meta's download server. prompt_format: of
    `prompt_format`. context_length: in tokens. modalities: as in `text+image->text`. arch_notes: what the numbers of
    the architecture do not say. sampling: what its makers advise. release_date: a day, or a year. vendors: what each
    vendor calls it, by the name of the vendor's provider.
    """

    model_id: str
    descriptor: str
    hub_repo: str
    meta_folder: str
    prompt_format: str
    family: str
    params: str
    quantization: str
    context_length: int | None
    modalities: str
    layers: int | None
    dim: int | None
    heads: int | None
    kv_heads: int | None
    ffn_dim: str
    vocab: int | None
    rope_theta: int | None
    rope_scaling: str
    tied_embeddings: str
    arch_notes: str
    sampling: str
    license: str
    release_date: str
    notes: str
    vendors: Mapping[str, VendorName]

    @property
    def folder_name(self) -> str:
        """What its folder on this disk is called: the descriptor, in which a colon is no name on every system."""
        return self.descriptor.replace(":", "-")

    @property
    def is_current(self) -> bool:
        """Whether it belongs to what people start with today: neither Llama 2 nor the first Llama 3."""
        return self.family not in _OLDER_FAMILIES

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that it is asked for by, the most precise first."""
        ids = (self.model_id, self.hub_repo)
        return tuple(
            dict.fromkeys((self.descriptor, self.folder_name, *ids, *(name.rpartition("/")[2] for name in ids)))
        )


@cache
def models() -> tuple[CatalogModel, ...]:
    """All of them, the oldest family first."""
    head, *rows = (_FOLDER / "models.tsv").read_text(encoding="utf-8").splitlines()
    return tuple(_model(dict(zip(_cells(head), _cells(row), strict=True))) for row in rows)


def find(name: str) -> CatalogModel | None:
    """The model of a name in any case: descriptor, id or repository, the latter also without `meta-llama/`."""
    return _by_name().get(name.lower())


def get(name: str) -> CatalogModel:
    """The same. Raises NotFound with the nearest names."""
    model = find(name)
    if model is None:
        hint = did_you_mean(name, known_names()) or "see `llama model list --all`"
        raise NotFound(f"no Llama model is called `{name}`", hint=hint, code="model_not_found")
    return model


def known_names() -> list[str]:
    """The descriptors and ids, for suggestions and completion."""
    return list(dict.fromkeys(name for model in models() for name in (model.descriptor, model.model_id)))


@lru_cache(maxsize=4096)
def called_at(vendor: str, name: str) -> VendorName | None:
    """What a vendor calls the model of a canonical id, descriptor or repository; None where nobody knows it there. Of
    several checkpoints that share an id, the first that the vendor has.
    """
    if (known := find(name)) is None:
        return None
    same = (model for model in models() if model.model_id == known.model_id)
    return next((model.vendors[vendor] for model in (known, *same) if vendor in model.vendors), None)


def meant_at(vendor: str, name: str) -> CatalogModel | None:
    """The model that a vendor's own name means, or a server's that calls models by their repository or descriptor."""
    return _by_vendors_name().get((vendor, name.lower())) or find(name)


def names_at(vendor: str) -> dict[str, VendorName]:
    """The models that a vendor has, each canonical id with its name there, the oldest family first."""
    found: dict[str, VendorName] = {}
    for model in models():
        if vendor in model.vendors:
            found.setdefault(model.model_id, model.vendors[vendor])
    return found


@cache
def names_from() -> Mapping[str, NamesFrom]:
    """Where the names of each vendor are from, by the name of its provider."""
    _, *rows = (_FOLDER / "vendors.tsv").read_text(encoding="utf-8").splitlines()
    return {vendor: NamesFrom(vendor=vendor, source=source, seen=seen) for vendor, source, seen in map(_cells, rows)}


def prompt_format(model: CatalogModel) -> str:
    """How a prompt for the model is written, token by token: Markdown, with examples."""
    return (_FOLDER / "prompt_formats" / f"{model.prompt_format}.md").read_text(encoding="utf-8")


def _cells(row: str) -> list[str]:
    return row.split("\t")


@cache
def _by_vendors_name() -> dict[tuple[str, str], CatalogModel]:
    found: dict[tuple[str, str], CatalogModel] = {}
    for model in models():
        for vendor, called in model.vendors.items():
            found.setdefault((vendor, called.name.lower()), model)
    return found


@cache
def _by_name() -> dict[str, CatalogModel]:
    found: dict[str, CatalogModel] = {}
    # First what only one checkpoint has: `Llama3.1-405B` is the descriptor of one and nearly the id of another.
    for model in models():
        found.setdefault(model.descriptor.lower(), model)
    for model in models():
        for name in model.names:
            found.setdefault(name.lower(), model)
    return found


def _model(cells: Mapping[str, str]) -> CatalogModel:
    known = {field.name: field.type for field in fields(CatalogModel)}
    facts = {
        name: _number(cell) if known[name] == "int | None" else cell for name, cell in cells.items() if name in known
    }
    vendors = {name: _vendor_name(cell) for name, cell in cells.items() if name not in known and cell}
    return CatalogModel(**facts, vendors=vendors)  # type: ignore[arg-type]  # by the types of the fields


def _number(cell: str) -> int | None:
    return int(cell) if cell else None


def _vendor_name(cell: str) -> VendorName:
    name, _, remark = cell.partition(" (")
    return VendorName(name=name, remark=remark.removesuffix(")"))
